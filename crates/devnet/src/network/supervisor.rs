//! The processes of a devnet: which run, which have ended, and in which order they stop.

use super::{
    NetworkError,
    child::RoleProcess,
    description::{self, Description, RoleEntry},
    folder::{NetworkFolder, tail},
    options::NetworkOptions,
    roles::{CommandLine, Plan, Role},
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{self, ExitStatus},
    time::{Duration, Instant},
};

/// How often it is looked whether a role has ended.
const POLL: Duration = Duration::from_millis(20);
/// How long a role may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(20);
/// The same of L1, which writes its state.
const STOP_L1: Duration = Duration::from_secs(60);

/// A role's command, and its process as far as it runs here.
#[derive(Debug)]
struct Entry {
    command: CommandLine,
    log: PathBuf,
    process: Option<RoleProcess>,
    /// Somebody else starts it.
    is_without: bool,
}

/// A role that has ended by itself.
#[derive(Debug)]
pub(crate) struct RoleEnd {
    pub(crate) role: Role,
    pub(crate) status: ExitStatus,
    pub(crate) log: PathBuf,
    pub(crate) command: String,
}

/// The roles of a devnet. All that run are killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Supervisor {
    // before the folder: it is locked until all have ended
    roles: BTreeMap<Role, Entry>,
    pub(crate) folder: NetworkFolder,
    description: Option<Description>,
    is_ready: bool,
}

impl Supervisor {
    pub(crate) fn new(folder: NetworkFolder, plan: &Plan<'_>, options: &NetworkOptions) -> Self {
        let entry = |role: Role| {
            let more = options.arguments.iter();
            let more = more
                .filter(|(of, _)| *of == role)
                .map(|(_, text)| text.clone());
            let entry = Entry {
                command: plan.command(role, options.programs.get(&role), more),
                log: plan.layout.log(role),
                process: None,
                is_without: options.without.contains(&role),
            };
            (role, entry)
        };
        Self {
            roles: Role::ALL.into_iter().map(entry).collect(),
            folder,
            description: None,
            is_ready: false,
        }
    }

    /// Begins to write devnet.json.
    pub(crate) fn describe(&mut self, description: Description) -> Result<(), NetworkError> {
        self.description = Some(description);
        self.write()
    }

    /// devnet.json, as it is now.
    pub(crate) fn description(&self) -> serde_json::Value {
        self.whole(Some(process::id()))
    }

    fn whole(&self, own: Option<u32>) -> serde_json::Value {
        let roles = self.roles.iter().map(|(role, entry)| RoleEntry {
            role: *role,
            command: &entry.command,
            log: &entry.log,
            process: entry.process.as_ref().map(RoleProcess::id),
        });
        match &self.description {
            Some(description) => description.with_roles(own, self.is_ready, roles),
            None => serde_json::Value::Null,
        }
    }

    fn write(&self) -> Result<(), NetworkError> {
        if self.description.is_none() {
            return Ok(());
        }
        description::write(&self.folder.layout.description(), &self.description())
    }

    /// All that were started answer.
    pub(crate) fn set_ready(&mut self) -> Result<(), NetworkError> {
        self.is_ready = true;
        self.write()
    }

    /// The command of a role, and whether somebody else runs it.
    pub(crate) fn command(&self, role: Role) -> Option<(&CommandLine, bool)> {
        let entry = self.roles.get(&role)?;
        Some((&entry.command, entry.is_without))
    }

    /// The log of a role.
    pub(crate) fn log(&self, role: Role) -> PathBuf {
        self.folder.layout.log(role)
    }

    /// Starts a role, unless somebody else does.
    pub(crate) fn start(&mut self, role: Role) -> Result<(), NetworkError> {
        if let Some(entry) = self.roles.get_mut(&role)
            && !entry.is_without
        {
            let process = RoleProcess::start(role, &entry.command, &entry.log)?;
            entry.process = Some(process);
            self.write()?;
        }
        Ok(())
    }

    /// Whether a role is started here.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.get(&role).is_some_and(|entry| !entry.is_without)
    }

    /// The roles that have ended by themselves since this was asked last.
    pub(crate) fn ended(&mut self) -> Result<Vec<RoleEnd>, NetworkError> {
        let mut found = Vec::new();
        for (role, entry) in &mut self.roles {
            if let Some(process) = &mut entry.process
                && let Some(status) = process.ended()
            {
                entry.process = None;
                found.push(RoleEnd {
                    role: *role,
                    status,
                    log: entry.log.clone(),
                    command: entry.command.to_string(),
                });
            }
        }
        if !found.is_empty() {
            self.write()?;
        }
        Ok(found)
    }

    /// An error if a role has ended.
    pub(crate) fn check(&mut self) -> Result<(), NetworkError> {
        match self.ended()?.into_iter().next() {
            None => Ok(()),
            Some(end) => Err(NetworkError::Ended {
                role: end.role,
                status: end.status.to_string(),
                tail: tail(&end.log),
                log: end.log,
            }),
        }
    }

    /// Stops all roles: whoever asks another one first. Returns those that had to be killed.
    pub(crate) async fn stop(mut self) -> Result<Vec<Role>, NetworkError> {
        let steps: [&[Role]; 3] = [
            &[Role::Batcher, Role::Node, Role::Verifier],
            &[Role::Engine, Role::VerifierEngine],
            // last, so that all that the others did is kept
            &[Role::L1],
        ];
        let mut killed = Vec::new();
        for step in steps {
            let mut stopping: Vec<_> = step
                .iter()
                .filter_map(|role| {
                    let mut process = self.roles.get_mut(role)?.process.take()?;
                    process.ask_to_stop();
                    Some((*role, process))
                })
                .collect();
            let patience = if step.contains(&Role::L1) {
                STOP_L1
            } else {
                STOP
            };
            let begin = Instant::now();
            while !stopping.is_empty() && begin.elapsed() < patience {
                stopping.retain_mut(|(_, process)| process.ended().is_none());
                tokio::time::sleep(POLL).await;
            }
            killed.extend(stopping.iter().map(|(role, _)| *role));
        }
        self.is_ready = false;
        if self.description.is_some() {
            description::write(&self.folder.layout.description(), &self.whole(None))?;
        }
        Ok(killed)
    }
}
