//! Certificates: their facts, their verification and the trust store.

mod chains;
mod facts;
mod faults;
mod hostile;
mod made;
mod names;
mod weak;
