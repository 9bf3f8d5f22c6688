"""The scripts of preprocessing steps, in the JavaScript of Zabbix 6.0 (Duktape, ECMAScript 5)."""

SHARE = """var summary = JSON.parse(value);
return summary.targets ? 100 * summary.%s / summary.targets : 0;"""
NOW = "return Math.floor(Date.now() / 1000);"

# The error of the step before is a sentence; a document begins with a brace.
ERROR = """return value.charAt(0) === '{' ? JSON.parse(value).summary.error || '' : value;"""
# Targets without all items need neither responses nor details.
SHORTENED = """var detail = /(?:{$TCP.DETAIL})/.source !== '(?:)';
return (JSON.parse(value).shortened || []).filter(function (part) {
    return part !== 'redundant' && (detail || part !== 'responses' && part !== 'details');
}).join(', ');"""

# A text item stores 65 535 characters, so lines are limited in number and length.
LINES = """function line(target, text) {
    var whole = (target.name || target.id) + ': ' + text;
    return whole.length > 400 ? whole.slice(0, 400) + '...' : whole;
}
"""
FAILING = LINES + """var lines = JSON.parse(value).map(function (target) {
    return line(target, target.error ? target.status_name + ': ' + target.error : 'status ' + target.status);
}).sort();
return lines.slice(0, 100).join('\\n') + (lines.length > 100 ? '\\nand ' + (lines.length - 100) + ' more' : '');"""
SLOWEST = LINES + """return JSON.parse(value).sort(function (one, other) {
    return other.time.connect - one.time.connect;
}).slice(0, 10).map(function (target) {
    return line(target, target.time.connect + ' s');
}).join('\\n');"""

CERTIFICATES = LINES + """return JSON.parse(value).sort(function (one, other) {
    return one.tls.days_left - other.tls.days_left;
}).slice(0, 100).map(function (target) {
    return target.tls.days_left.toFixed(1) + ' days: ' + line(target, (target.tls.verified ? '' : 'not trusted, ') + 'issued by ' +
        target.tls.issuer);
}).join('\\n');"""

# Statuses 14, 15 and 17 say nothing about the targets.
LARGEST = """var summary = JSON.parse(value), largest = (summary.causes || []).filter(function (cause) {
    return [14, 15, 17].indexOf(cause.status) %s 0;
})[0];
"""
LARGEST, LARGEST_OF_UNKNOWN = LARGEST % "<", LARGEST % ">="
CAUSE = LARGEST + "return largest ? largest.cause : '';"
UNKNOWN_CAUSE = LARGEST_OF_UNKNOWN + "return largest ? largest.cause : '';"
CAUSE_TARGETS = LARGEST + "return largest ? largest.targets : 0;"
CAUSE_SHARE = LARGEST + "return largest && summary.targets ? 100 * largest.targets / summary.targets : 0;"


def percentile(part):
    """The value that `part` per cent of the numbers do not exceed (nearest rank)."""
    return f"""var times = JSON.parse(value).sort(function (one, other) {{
    return one - other;
}});
return times[Math.max(0, Math.ceil({part} / 100 * times.length) - 1)];"""


# Which rows of a group Zabbix gets: in the order of the configuration, as many as {$TCP.TARGETS.MAX} allows. A target with all
# items, or with TLS, counts as four, since it needs so much of the configuration cache.
SELECTION = """var left = Number('{$TCP.TARGETS.MAX}');
if (!(left > 0)) {
    throw 'the macro TCP.TARGETS.MAX is not a number above 0';
}
var every = JSON.parse(value), rows = every.filter(function (row) {
    row['{#TCP.DETAIL}'] = /^(?:{$TCP.DETAIL})$/.test(row['{#TCP.ID}']) ? '1' : '0';
    left -= row['{#TCP.DETAIL}'] === '1' || /{$TCP.TLS.SERVICES}/.test(row['{#TCP.SERVICE}']) ? 4 : 1;
    return left >= 0;
});
"""
# Zabbix creates no two graphs of one name, so a name that several targets have gets the id.
ROWS = SELECTION + """var names = {};
rows.forEach(function (row) {
    names[row['{#TCP.NAME}']] = (names[row['{#TCP.NAME}']] || 0) + 1;
});
rows.forEach(function (row) {
    if (names[row['{#TCP.NAME}']] > 1) {
        row['{#TCP.NAME}'] += ' (' + row['{#TCP.ID}'] + ')';
    }
});
return JSON.stringify(rows);"""
OMITTED = SELECTION + "return every.length - rows.length;"
