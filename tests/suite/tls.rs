//! TLS against real servers, recorded answers and invalid ones.

mod hello;
mod hello_engine;
mod hello_hostile;
mod openssl;
