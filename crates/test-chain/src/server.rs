//! The sockets, and what can be wrong behind them.

use crate::{Message, chain::Chain};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Changes the result of a call, or the data of a beacon answer.
pub type Alter = Box<dyn FnMut(&str, &mut Value) + Send>;

/// Whom an endpoint plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// L1, and its beacon node.
    #[default]
    L1,
    /// The rollup node.
    Rollup,
    /// The execution engine.
    L2,
    /// The DA server.
    Da,
}

/// What is wrong with an endpoint.
#[derive(Default)]
pub struct Rules {
    /// Methods, or first parts of paths, that it does not have.
    pub missing: HashSet<&'static str>,
    /// Methods that it refuses, with code and message.
    pub refused: HashMap<&'static str, (i64, &'static str)>,
    /// Most calls of a batch.
    pub max_batch: Option<usize>,
    /// Longest answer in bytes, for the whole batch.
    pub max_answer: Option<usize>,
    /// Changes results.
    pub alter: Option<Alter>,
    /// Status, headers and body to answer with, instead of so many answers.
    pub instead: Vec<(u16, &'static str, &'static str)>,
    /// How long it takes to answer.
    pub delay: Duration,
    /// Newest block, if not the newest recorded one.
    pub head: Option<usize>,
    /// Blocks that take the place of recorded ones, by height.
    pub fork: HashMap<usize, Value>,
    /// Blobs that it does not have.
    pub missing_blobs: HashSet<String>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}

/// An endpoint that serves a recorded chain.
#[derive(Debug)]
pub struct Fake {
    /// Where it is.
    pub url: String,
    /// What is wrong with it.
    pub rules: Mutex<Rules>,
    /// What it serves.
    pub chain: Arc<Chain>,
    role: Role,
    /// HTTP requests.
    pub requests: AtomicUsize,
    /// Those that wait for their answer now, and the most that ever did.
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
    /// Methods and paths that were asked for.
    pub log: Mutex<Vec<String>>,
    /// The same, with those of a request together.
    batches: Mutex<Vec<Vec<String>>>,
}

impl Fake {
    /// Starts L1 with its beacon node.
    pub fn start(chain: &Arc<Chain>, rules: Rules) -> Arc<Self> {
        Self::start_as(Role::L1, chain, rules)
    }

    /// Starts an endpoint.
    pub fn start_as(role: Role, chain: &Arc<Chain>, rules: Rules) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            rules: Mutex::new(rules),
            chain: Arc::clone(chain),
            role,
            requests: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            most_waiting: AtomicUsize::new(0),
            log: Mutex::default(),
            batches: Mutex::default(),
        });
        let served = Arc::clone(&fake);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fake = Arc::clone(&served);
                thread::spawn(move || fake.serve(stream));
            }
        });
        fake
    }

    /// How many HTTP requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The most requests that waited for their answers at the same time.
    pub fn most_at_once(&self) -> usize {
        self.most_waiting.load(Ordering::SeqCst)
    }

    /// How many calls or paths came that begin so.
    pub fn asked(&self, what: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|asked| asked.starts_with(what)).count()
    }

    /// How many requests came with a call or a path that begins so.
    pub fn requests_with(&self, what: &str) -> usize {
        let batches = self.batches.lock().unwrap();
        let with = |batch: &&Vec<String>| batch.iter().any(|asked| asked.starts_with(what));
        batches.iter().filter(with).count()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let request = Message::read(&mut reader)?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            let (delay, instead) = {
                let mut rules = self.rules.lock().unwrap();
                (rules.delay, rules.instead.pop())
            };
            let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_waiting.fetch_max(waiting, Ordering::SeqCst);
            let answer = match instead {
                Some((status, headers, body)) => {
                    let mut answer = Message::response(status, body.as_bytes().to_vec());
                    let headers = headers.lines().filter_map(|line| line.split_once(": "));
                    answer.headers = headers
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect();
                    answer
                }
                None if request.is_get() => {
                    let path = request.path().to_owned();
                    self.log.lock().unwrap().push(path.clone());
                    self.batches.lock().unwrap().push(vec![path.clone()]);
                    let (status, body) = match self.role {
                        Role::Da => self.payload(&path),
                        _ => {
                            let (status, body) = self.beacon(&path);
                            (status, body.into_bytes())
                        }
                    };
                    Message::response(status, body)
                }
                None => {
                    let answer = self.rpc(&serde_json::from_slice(&request.body).ok()?);
                    Message::response(200, answer.into_bytes())
                }
            };
            let headers = answer.headers.iter().map(|(name, _)| &**name);
            let headers: Vec<&str> = headers.collect();
            // what was asked is known at once, and answered late
            thread::sleep(delay);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            answer.write(&mut writer, &headers)?;
        }
    }

    fn rpc(&self, request: &Value) -> String {
        let calls = match request {
            Value::Array(calls) => calls.as_slice(),
            call => std::slice::from_ref(call),
        };
        let methods = calls.iter().filter_map(|call| call["method"].as_str());
        let methods = methods.map(str::to_owned).collect();
        self.batches.lock().unwrap().push(methods);
        let limit = self.rules.lock().unwrap().max_batch;
        if limit.is_some_and(|limit| calls.len() > limit) {
            return json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "batch too large"}}).to_string();
        }
        let mut answers: Vec<Value> = calls.iter().map(|call| self.call(call)).collect();
        // Not in the calls' order, as is allowed.
        answers.reverse();
        let answer = match request {
            Value::Array(_) => Value::Array(answers),
            _ => answers.remove(0),
        };
        let answer = answer.to_string();
        let limit = self.rules.lock().unwrap().max_answer;
        if limit.is_some_and(|limit| answer.len() > limit) {
            return json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32008, "message": "Response is too big"}}).to_string();
        }
        answer
    }

    fn call(&self, call: &Value) -> Value {
        let method = call["method"].as_str().unwrap();
        self.log.lock().unwrap().push(method.to_owned());
        let mut rules = self.rules.lock().unwrap();
        if rules.missing.contains(method) {
            return json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": format!("the method {method} does not exist/is not available")}});
        }
        if let Some((code, message)) = rules.refused.get(method) {
            return json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}});
        }
        let params = &call["params"];
        let mut result = match self.role {
            Role::L1 => self.l1_result(&rules, method, params),
            Role::L2 => self.l2_result(method, params),
            Role::Rollup => self.rollup_result(method, params),
            Role::Da => panic!("{method}"),
        };
        if let Some(alter) = &mut rules.alter {
            alter(method, &mut result);
        }
        json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
    }
}
