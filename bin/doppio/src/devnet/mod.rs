//! `doppio devnet`: a whole chain on this machine, and load on it.

mod args;

pub(crate) use args::DevnetArgs;

use crate::{
    log::{self, LogFormat},
    output::{self, CommandError},
    signals,
};
use args::{DevnetCommand, Espresso, L1Args, NetworkArgs, TrafficArgs};
use doppio_devnet::{
    Programs,
    network::{
        Ended, Interrupts, L1Options, NetworkOptions, Screen, TrafficOptions, TrafficSummary,
        run_l1, traffic,
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Where state lives that nobody gave a folder for.
const HOME_VARIABLE: &str = "DOPPIO_HOME";
const HOME: &str = ".doppio";
/// Signals within this time are one.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Runs the command.
pub(crate) fn run(args: DevnetArgs) -> Result<ExitCode, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = match args.command {
        None => runtime.block_on(network(args.network)),
        Some(DevnetCommand::L1(args)) => {
            log::start(&args.log, LogFormat::Text, None)?;
            runtime.block_on(l1(args))
        }
        Some(DevnetCommand::Traffic(args)) => runtime.block_on(load(args)),
    };
    // What still waits (npm, perhaps) is not waited for.
    runtime.shutdown_background();
    result
}

fn home() -> PathBuf {
    env::var_os(HOME_VARIABLE).map_or_else(|| HOME.into(), PathBuf::from)
}

/// The whole chain.
async fn network(args: NetworkArgs) -> Result<ExitCode, CommandError> {
    let Espresso::Off = args.espresso;
    let options = NetworkOptions {
        doppio: env::current_exe()?,
        home: home(),
        folder: args.dir,
        data_availability: args.da.into(),
        forks: args.forks,
        block_time: args.block_time,
        l1_block_time: args.l1_block_time,
        ports: args.ports.unwrap_or_default(),
        own_ports: args.port.into_iter().collect(),
        without: args.without.into_iter().collect(),
        programs: args.programs.into_iter().collect(),
        arguments: args.arguments,
    };
    // stdout is the command's, or the object's
    let mut screen = if args.json || args.exec.is_some() {
        Screen::new(
            io::stderr(),
            io::stderr().is_terminal() && args.exec.is_none(),
        )
    } else {
        Screen::new(io::stdout(), io::stdout().is_terminal())
    };
    let ready = |description: &serde_json::Value| {
        if args.json {
            output::line(description.to_string());
        }
    };
    let exec = args.exec.as_deref();
    let ended =
        doppio_devnet::network::run(&options, exec, interrupts()?, &mut screen, ready).await?;
    Ok(match ended {
        Ended::BeforeReady => ExitCode::from(INTERRUPTED),
        Ended::Stopped if exec.is_some() => ExitCode::from(INTERRUPTED),
        Ended::Stopped => ExitCode::SUCCESS,
        Ended::Command(code) => ExitCode::from(code),
    })
}

/// A message for each SIGINT, SIGTERM or SIGHUP. Several at once are one: `timeout` sends its signal to
/// the process and then to its group, and a terminal that is closed sends more than one.
fn interrupts() -> io::Result<Interrupts> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (mut interrupt, mut terminate, mut hangup) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    tokio::spawn(async move {
        let mut last: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if last.is_none_or(|last| last.elapsed() >= AT_ONCE) {
                last = Some(Instant::now());
                if sender.send(()).is_err() {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

/// L1 alone.
async fn l1(args: L1Args) -> Result<ExitCode, CommandError> {
    let programs = match (args.anvil, args.supersim) {
        (Some(anvil), Some(supersim)) => Some(Programs { anvil, supersim }),
        _ => None,
    };
    let options = L1Options {
        folder: args.dir,
        port: args.port,
        block_time: args.block_time,
        slots_per_epoch: args.slots_per_epoch,
        save_interval: args.save_interval,
        programs,
    };
    std::fs::create_dir_all(&options.folder)?;
    let stop = async {
        if let Err(error) = signals::wait().await {
            tracing::error!("signals cannot be waited for: {error}");
        }
    };
    run_l1(options, stop).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Load on a chain.
async fn load(args: TrafficArgs) -> Result<ExitCode, CommandError> {
    let folder = args.dir.unwrap_or_else(|| home().join("devnet"));
    let options = TrafficOptions {
        rate: args.rate,
        duration: args.duration,
        seed: args.seed,
    };
    let mut interrupts = interrupts()?;
    let stop = async {
        interrupts.recv().await;
    };
    // hidden by itself where stderr is no terminal
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    let show = |summary: &TrafficSummary| {
        bar.set_message(format!(
            "{} sent, {:.1} a second, {} in blocks, {} refused",
            summary.sent(),
            summary.rate(),
            summary.included(),
            summary.refused()
        ));
        bar.tick();
    };
    let summary = traffic(&folder, &options, stop, show).await;
    bar.finish_and_clear();
    let summary = summary?;
    if args.json {
        output::line(summary.to_json().to_string());
    } else {
        for line in summary.lines() {
            output::line(line);
        }
    }
    summary.check()?;
    Ok(ExitCode::SUCCESS)
}
