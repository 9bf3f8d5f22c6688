//! The text of the built-in services: files in the format of the configuration.

/// The files.
pub const FILES: [&str; 4] = [
    include_str!("../plan/services/text.toml"),
    include_str!("../plan/services/binary.toml"),
    include_str!("../plan/services/starttls.toml"),
    include_str!("../plan/services/tls.toml"),
];

/// The name of these files in errors.
pub const FILE_NAME: &str = "built-in services";

/// The text of one service, so that a check parses no other.
pub fn section(name: &str) -> Option<&'static str> {
    let header = format!("[services.{name}]\n");
    FILES.iter().find_map(|text| {
        let at = if text.starts_with(&header) {
            0
        } else {
            text.find(&format!("\n{header}"))? + 1
        };
        let section = text.get(at..)?;
        let end = section
            .find("\n[services.")
            .map_or(section.len(), |end| end + 1);
        section.get(..end)
    })
}

/// The names of all services.
pub fn names() -> impl Iterator<Item = &'static str> {
    let headers = FILES.iter().flat_map(|text| text.lines());
    headers.filter_map(|line| line.strip_prefix("[services.")?.strip_suffix(']'))
}
