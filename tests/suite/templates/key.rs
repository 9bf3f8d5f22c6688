//! Parses item keys (Zabbix manual, "Item key format") and expands their macros.

/// The name and the unquoted parameters of a key.
pub fn parts(key: &str) -> (&str, Vec<String>) {
    let Some((name, rest)) = key.split_once('[') else {
        return (key, Vec::new());
    };
    let inside = rest
        .strip_suffix(']')
        .unwrap_or_else(|| panic!("{key}: no closing bracket"));
    let (mut parameters, mut current, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if !quoted && current.is_empty() => quoted = true,
            '"' if quoted => quoted = false,
            '\\' if quoted && characters.peek() == Some(&'"') => current.extend(characters.next()),
            ',' if !quoted => parameters.push(std::mem::take(&mut current)),
            other => current.push(other),
        }
    }
    assert!(!quoted, "{key}: no closing quote");
    parameters.push(current);
    (name, parameters)
}

/// The macros in a text: `{$NAME}`, also with context, as `{$NAME}`.
pub fn user_macros(text: &str) -> Vec<String> {
    let starts = text
        .match_indices("{$")
        .map(|(start, _)| &text[start + 2..]);
    let name = |rest: &str| {
        rest.chars()
            .take_while(|one| one.is_ascii_alphanumeric() || ".-_".contains(*one))
            .collect::<String>()
    };
    starts.map(|rest| format!("{{${}}}", name(rest))).collect()
}

/// The LLD macros in a text: `{#NAME}`.
pub fn lld_macros(text: &str) -> Vec<&str> {
    let starts = text.match_indices("{#").map(|(start, _)| start);
    starts
        .filter_map(|start| {
            text[start..]
                .find('}')
                .map(|length| &text[start..=start + length])
        })
        .collect()
}

/// The values of a host's macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Macros {
    /// Every macro has a value.
    Set,
    /// Optional macros are empty.
    Empty,
}

/// A parameter after expansion.
pub fn expand(parameter: &str, macros: Macros) -> String {
    let required = [
        ("{HOST.CONN}", "192.0.2.1"),
        ("{#TCP.HOST}", "192.0.2.1"),
        ("{#TCP.PORT}", "22"),
        ("{$TCP.HOST}", "::1"),
    ];
    let optional = [
        ("{#TCP.SERVICE}", "ssh"),
        ("{$TCP.PORTS}", "22/ssh,25/smtp,8000-8010"),
        ("{$TCP.TIMEOUT}", "2.5s"),
        ("{$TCP.TARGET.TIMEOUT}", "2s"),
        ("{$TCP.DEADLINE}", "2.5s"),
        ("{$TCP.COUNT}", "3"),
        ("{$TCP.ADDRESSES}", "any"),
        ("{$TCP.GROUP}", "mail"),
        ("{$TCP.PATH}", "on"),
        ("{$TCP.FAMILY}", "4"),
        ("{$TCP.SNI:\"22\"}", "mail.example.org"),
        ("{$TCP.MAX.OUTPUT}", "512K"),
        ("{$TCP.LISTENER.SERVICE:\"22\"}", "ssh"),
    ];
    let mut text = parameter.to_owned();
    for (name, value) in required {
        text = text.replace(name, value);
    }
    for (name, value) in optional {
        text = text.replace(name, if macros == Macros::Set { value } else { "" });
    }
    assert!(!text.contains('{'), "{parameter}: unknown macro");
    text
}
