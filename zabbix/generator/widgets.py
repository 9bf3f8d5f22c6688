"""The widgets of dashboards. Positions are on the grid of 7.0, 72 columns; 6.0 has 24."""

from .parts import STATE

KINDS = ("INTEGER", "STRING", "ITEM", "ITEM_PROTOTYPE", "GRAPH_PROTOTYPE")
RED, AMBER, GREEN, BLUE, GREY = "E64B3C", "F6A623", "4CAF50", "2E86DE", "9E9E9E"


def field(kind, name, value):
    return {"type": kind, "name": name, "value": value}


def integer(name, value):
    return field("INTEGER", name, str(value))


def string(name, value):
    return field("STRING", name, value)


# The colours of states: down, up, unknown.
STATES = (("0", RED), ("1", GREEN), ("2", GREY))


class Widgets:
    """Makes widgets for one template; a widget is its type, title, place (x, y, width, height) and fields."""

    def __init__(self, template, release):
        self.template, self.modern = template, release != "6.0"
        self.references = iter(f"TCP{first}{second}" for first in "ABCDE" for second in "ABCDEFGH")

    def widget(self, kinds, name, place, fields, refers=False):
        x, y, width, height = place
        if self.modern and refers:
            fields = [*fields, string("reference", next(self.references))]
        # The same screen has 24 columns in 6.0.
        scale = 1 if self.modern else 3
        made = {"type": kinds[self.modern], "name": name, "x": str(x // scale), "y": str(y)}
        made |= {"width": str(width // scale), "height": str(height)}
        # The order of an export.
        rank = (lambda one: one["name"].upper()) if self.modern else (lambda one: KINDS.index(one["type"]))
        return made | {"fields": sorted(fields, key=rank)}

    def numbered(self, name):
        return f"{name}.0" if self.modern else name

    def graphs(self, name, title, place, columns, rows):
        """A grid of the graphs that discovery made."""
        value = {"host": self.template, "name": name}
        fields = [
            integer("columns", columns),
            field("GRAPH_PROTOTYPE", self.numbered("graphid"), value),
            integer("rows", rows),
        ]
        return self.widget(("GRAPH_PROTOTYPE", "graphprototype"), title, place, fields, refers=True)

    def item_graphs(self, key, title, place, columns, rows):
        """A grid of simple graphs, one for each item that discovery made."""
        simple = 3
        fields = [
            integer("columns", columns),
            integer("rows", rows),
            integer("source_type", simple),
            field("ITEM_PROTOTYPE", self.numbered("itemid"), self.item(key)),
        ]
        return self.widget(("GRAPH_PROTOTYPE", "graphprototype"), title, place, fields, refers=True)

    def value(self, key, title, place, colors=(), decimals=0):
        """One number. `colors`: (from which value on, colour), in 7.0 only."""
        fields = [
            field("ITEM", self.numbered("itemid"), self.item(key)),
            integer("show.0" if self.modern else "show", 2),
            integer("decimal_places", decimals),
        ]
        if self.modern:
            fields += thresholds(colors)
        return self.widget(("ITEM", "item"), title, place, fields)

    def item(self, key):
        return {"host": self.template, "key": key}

    def text(self, key, title, place):
        """The latest text of an item."""
        if not self.modern:
            fields = [field("ITEM", "itemids", self.item(key)), integer("show_lines", 1)]
            return self.widget(("PLAIN_TEXT", ""), title, place, fields)
        fields = [
            string("columns.0.name", title),
            field("ITEM", "columns.0.itemid", self.item(key)),
            integer("show_column_header", 0),
            integer("show_lines", 1),
        ]
        return self.widget(("", "itemhistory"), title, place, fields, refers=True)

    def comb(self, pattern, label, title, place, colors=STATES):
        """One cell for each discovered item, by default a state: red, green, or grey if it is unknown."""
        fields = [
            string("items.0", pattern),
            string("primary_label", label),
            integer("secondary_label_decimal_places", 0),
            *thresholds(colors),
        ]
        return self.widget(("", "honeycomb"), title, place, fields, refers=True)

    def problems(self, title, place, scope=None):
        """Open problems, with the reason in the name; `scope`: only with this value of the tag."""
        open_only, equals, by_severity = 3, 1, 1
        fields = [integer("show", open_only), integer("show_opdata", 1), integer("show_timeline", 0)]
        fields.append(integer("sort_triggers", by_severity))
        if scope:
            fields += [string("tags.0.tag", "scope"), integer("tags.0.operator", equals), string("tags.0.value", scope)]
        return self.widget(("", "problems"), title, place, fields, refers=True)

    def gauge(self, key, title, place, colors):
        """A share in per cent."""
        fields = [
            integer("decimal_places", 0),
            field("ITEM", "itemid.0", self.item(key)),
            string("max", "100"),
            string("min", "0"),
            # The value, the scale and the arc. The name is already the title.
            integer("show.0", 2),
            integer("show.1", 4),
            integer("show.2", 5),
            integer("th_show_arc", 1),
            *thresholds(colors),
        ]
        return self.widget(("", "gauge"), title, place, fields)

    def lines(self, sets, title, place):
        """Lines of every discovered item that matches; `sets`: (name pattern, colour)."""
        fields = []
        for number, (pattern, color) in enumerate(sets):
            fields += [string(f"ds.{number}.color", color), string(f"ds.{number}.items.0", pattern)]
            fields += [integer(f"ds.{number}.fill", 0), integer(f"ds.{number}.width", 2)]
        # Two columns have space for a name with its host; the height of the legend adapts.
        as_needed = 1
        fields += [integer("legend_columns", 2), integer("legend_lines", 5), integer("legend_lines_mode", as_needed)]
        fields.append(integer("righty", 0))
        return self.widget(("", "svggraph"), title, place, fields, refers=True)


def thresholds(colors):
    return [
        part
        for number, (value, color) in enumerate(colors)
        for part in (string(f"thresholds.{number}.color", color), string(f"thresholds.{number}.threshold", value))
    ]


def page(name, *widgets):
    return {"name": name, "widgets": list(widgets)}


def label(subject, item=STATE.split()[-1].capitalize()):
    """The text of a honeycomb's cell: what is between the subject, a regular expression, and the last part of an item's name."""
    return f'{{{{ITEM.NAME}}.regsub("^{subject}(.*): {item}$", "\\1")}}'
