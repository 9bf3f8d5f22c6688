//! The loadable plugin of agent 2, with a fake agent on its socket and with real agents.

mod fake_agent;
mod load;
mod paused;
mod protocol;
mod real_agents;
mod reload;
mod same_values;
