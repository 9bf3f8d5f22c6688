//! The loadable plugin of Zabbix agent 2: its protocol and its keys.
//!
//! The agent starts `zbx-tcp SOCKET INITIAL` and listens on the socket. [`frame`] divides the byte
//! stream into frames, [`message`] is the content of a frame, and [`options`] are the options in
//! the agent's configuration. The protocol is that of the agent's sources
//! (`src/go/plugins/external`) and of Zabbix's plugin support library; it differs between the
//! releases 6.0 to 8.0 only in fields that are optional here.

pub mod frame;
pub mod message;
pub mod options;
