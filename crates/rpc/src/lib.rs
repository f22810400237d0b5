//! JSON-RPC over HTTP and WebSocket: servers, and a client.
//!
//! A [`MethodSet`] answers calls and knows nothing of sockets. [`Server`] puts sets on HTTP and
//! WebSocket, within [`Limits`] and behind a [`JwtSecret`] if need be. [`Client`] makes calls over
//! [`Http`], which everything that speaks HTTP uses: it bounds the length and the time of an answer.

mod caller;
mod client;
mod error;
mod gate;
mod http;
mod ids;
mod jwt;
mod method_set;
mod params;
mod server;
mod subscription;

pub use caller::{Caller, Calling, InProcess};
pub use client::{CallError, Client, ClientOptions};
pub use error::{RpcError, code};
pub use http::{Answer, ClientTls, Http, HttpError, Target, UrlError};
pub use ids::HexIds;
pub use jwt::{JwtSecret, JwtSecretError, TokenError};
pub use method_set::{Changed, MethodSet, Subscription};
pub use params::{Params, Quantity, Quantity64, quantity};
pub use server::{Limits, Listen, Meter, Server, ServerError, Transport};
