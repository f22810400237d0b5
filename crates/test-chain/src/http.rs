//! HTTP as far as servers for tests need it.

use std::io::{BufRead, Write};

/// A request or a response: its first line, its headers in lower case, its body.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one. None at the end of the connection, or if it is none.
    pub fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = Vec::new();
        match length {
            Some((_, length)) => {
                body.resize(length.parse().ok()?, 0);
                reader.read_exact(&mut body).ok()?;
            }
            None if first.starts_with("HTTP") => drop(reader.read_to_end(&mut body).ok()?),
            None => {}
        }
        Some(Self {
            first: first.trim().to_owned(),
            headers,
            body,
        })
    }

    /// A response.
    pub fn response(status: u16, body: Vec<u8>) -> Self {
        Self {
            first: format!("HTTP/1.1 {status} X"),
            headers: Vec::new(),
            body,
        }
    }

    /// Whether something is fetched.
    pub fn is_get(&self) -> bool {
        self.first.starts_with("GET")
    }

    /// The path of a request, with its query.
    pub fn path(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// Writes it with those of its headers, in one piece: the second of two would wait for the other
    /// side's word on the first. None if the other side has hung up.
    pub fn write(&self, to: &mut impl Write, headers: &[&str]) -> Option<()> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            if headers.contains(&&**name) {
                text += &format!("{name}: {value}\r\n");
            }
        }
        text += &format!("content-length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend(&self.body);
        to.write_all(&bytes).ok()
    }
}
