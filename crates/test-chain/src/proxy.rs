//! A server in front of another one, which sees what is asked and may change what is answered.

use crate::Message;
use serde_json::Value;
use std::{
    fmt,
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A call, or a path that is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method; the path with its query where something is fetched.
    pub method: &'a str,
    /// The arguments; null where something is fetched.
    pub params: &'a Value,
}

/// Sees each question with its answer, and may change the answer: the result of a call, or the whole
/// JSON of what is fetched.
pub type Change = Box<dyn FnMut(Asked<'_>, &mut Value) + Send>;

/// A server in front of another one.
pub struct Proxy {
    /// Where it is.
    pub url: String,
    upstream: String,
    change: Mutex<Change>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Stands in front of a server, given by its URL without a path.
    pub fn start(upstream: &str, change: Change) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/');
        let proxy = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            upstream: upstream.to_owned(),
            change: Mutex::new(change),
        });
        let served = Arc::clone(&proxy);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = Arc::clone(&served);
                thread::spawn(move || proxy.serve(stream));
            }
        });
        proxy
    }

    /// Changes other things from now on.
    pub fn set(&self, change: Change) {
        *self.change.lock().unwrap() = change;
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let request = Message::read(&mut reader)?;
            let mut upstream = TcpStream::connect(&self.upstream).ok()?;
            let kept = ["host", "authorization", "content-type"];
            request.write(&mut upstream, &kept)?;
            let mut response = Message::read(&mut BufReader::new(upstream))?;
            if let Ok(mut json) = serde_json::from_slice(&response.body) {
                self.look(&request, &mut json);
                response.body = json.to_string().into_bytes();
            }
            response.write(&mut writer, &["content-type"])?;
        }
    }

    fn look(&self, request: &Message, json: &mut Value) {
        let mut change = self.change.lock().unwrap();
        if request.is_get() {
            let (method, params) = (request.path(), &Value::Null);
            return change(Asked { method, params }, json);
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let calls = match &asked {
            Value::Array(calls) => calls.as_slice(),
            call => std::slice::from_ref(call),
        };
        let answers = match json {
            Value::Array(answers) => answers.as_mut_slice(),
            answer => std::slice::from_mut(answer),
        };
        for call in calls {
            let answer = answers.iter_mut().find(|answer| answer["id"] == call["id"]);
            if let Some(result) = answer.and_then(|answer| answer.get_mut("result")) {
                let method = call["method"].as_str().unwrap_or_default();
                let params = &call["params"];
                change(Asked { method, params }, result);
            }
        }
    }
}
