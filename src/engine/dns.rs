//! Name resolution on the event loop. Nothing here blocks, and every lookup ends by its deadline.
//!
//! [`StubResolver`] is the default: it reads the hosts file and then queries the servers in
//! resolv.conf. It distinguishes NXDOMAIN, SERVFAIL and no answer, which getaddrinfo does not, and
//! it works in static builds. `system::SystemResolver` calls getaddrinfo on helper threads; it is
//! only in dynamically linked builds. The event loop knows them as [`Resolver`].
//!
//! ```text
//! stub        lookups by key: limit, queue, deadlines, sockets     transport   UDP and TCP sockets
//!   lookup    one name: search list, both families     (no I/O)    message     wire format
//!     query   one name and record type: servers, retries (no I/O)
//! ```
//!
//! Not supported, so that a probe started by hand resolves as one started by Zabbix does:
//! nsswitch.conf, `sortlist`, and the variables `RES_OPTIONS` and `LOCALDOMAIN`.

pub mod answer;
pub mod failure_text;
pub mod files;
pub mod gai_conf;
pub mod hosts;
pub mod lookup;
pub mod message;
pub mod query;
pub mod query_id;
pub mod resolv_conf;
pub mod resolver;
pub mod result;
pub mod server;
pub mod stub;
#[cfg(not(target_feature = "crt-static"))]
pub mod system;
pub mod transport;

pub use answer::{AddressOrder, AnswerSource, ResolvedAddresses};
pub use resolver::{Resolver, owns_token};
pub use stub::StubResolver;
