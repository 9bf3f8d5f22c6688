//! A trapper that accepts and records all values (Zabbix sender protocol).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// A trapper on loopback.
pub struct Trapper {
    address: SocketAddr,
    thread: JoinHandle<Vec<Value>>,
}

impl Trapper {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let mut values = Vec::new();
            for client in listener.incoming() {
                match request(&mut client.unwrap()) {
                    Some(mut sent) => values.append(&mut sent),
                    None => break,
                }
            }
            values
        });
        Self { address, thread }
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// All values in the order in which they were sent.
    pub fn values(self) -> Vec<Value> {
        // A client that sends nothing ends it.
        drop(TcpStream::connect(self.address).unwrap());
        self.thread.join().unwrap()
    }
}

/// Answers one request; its values, or `None` if the client sends nothing.
fn request(client: &mut TcpStream) -> Option<Vec<Value>> {
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut header = [0; 13];
    client.read_exact(&mut header).ok()?;
    assert_eq!(&header[..5], b"ZBXD\x01", "neither compressed nor large");
    let length = u32::from_le_bytes(header[5..9].try_into().unwrap());
    let mut body = vec![0; length as usize];
    client.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_str(std::str::from_utf8(&body).unwrap()).unwrap();
    assert_eq!(body["request"], "sender data");
    let values = body["data"].as_array().unwrap().clone();
    let count = values.len();
    let info = format!("processed: {count}; failed: 0; total: {count}; seconds spent: 0.000001");
    let answer = serde_json::json!({"response": "success", "info": info}).to_string();
    let mut frame = b"ZBXD\x01".to_vec();
    frame.extend_from_slice(&(answer.len() as u64).to_le_bytes());
    frame.extend_from_slice(answer.as_bytes());
    client.write_all(&frame).unwrap();
    Some(values)
}
