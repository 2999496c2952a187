# SPDX-License-Identifier: Apache-2.0
"""Random templates, from single expressions to nested statements, for comparing interpreters."""

STRINGS = ["", "a", "abc", "  x y\\t", "Hello World", "a,b,,c", "<|im_end|>", "caf\u00e9 \u4f60\u597d", "\U0001f600", "x\\ny\\r\\nz",
           "123", " 42 ", "3.14", "-7", "0x1f", "1_000", "True", "stra\u00dfe", "\u0130\u03a3\u03a3", "it's", "a\\\"b", "\\\\d",
           "%s and %d", "<b>&", "{x}", "a.b", "A-b c(d", "\u00a0pad\u2003", "\u0663", "nan", "1e3", "aXbXc", "\u01c6x",
           "\\u00e9\\x41\\101", "e\u0301", "\\x00"]
NAMES = ["s", "n", "f", "b", "l", "d", "e", "t", "none", "missing", "messages", "r", "deep", "words", "nums", "u"]
VARIABLES = {
    "s": "Hello, World", "n": 7, "f": 2.5, "b": True, "l": [1, "two", None, 3.0, [4]], "d": {"a": 1, "b": "x", "items": "own"},
    "e": [], "u": "\u4f60\u597d \U0001f600 \u00c9t\u00e9\r\n<|im_end|>", "words": ["pear", "Apple", "fig", "apple", "Fig"],
    "nums": [3, 1, 2.5, True, 0, -4], "deep": {"x": {"y": [{"z": "end"}, {"z": 2}]}},
    "messages": [{"role": "system", "content": "Be brief."},
                 {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hi <|im_start|>"}]},
                 {"role": "assistant", "content": "Yes", "tool_calls": [{"name": "f", "arguments": {"q": 1.5, "w": None}}]},
                 {"role": "user", "content": "\u00e9"}],
}
FILTERS = ["trim", "upper", "lower", "capitalize", "title", "length", "count", "first", "last", "list", "string", "int", "float",
           "abs", "round", "reverse", "sort", "unique", "items", "tojson", "safe", "escape", "e", "min", "max", "sum", "wordcount",
           "join", "default", "d", "dictsort", "indent", "urlencode"]
FILTERS_WITH = ["default({a})", "default({a}, true)", "d({a}, boolean={a})", "join({s})", "join({s}, attribute={k})",
                "replace({s}, {s})", "replace({s}, {s}, {i})", "round({i})", "round({i}, 'floor')", "round({i}, 'ceil')",
                "round(1, method='common')", "int({i})", "int({i}, 16)", "float({f})", "map('upper')", "map({filter})|list",
                "map(attribute={k})|list", "map(attribute={k}, default={a})|list", "select|list", "select({test})|list",
                "reject({test})|list", "selectattr({k})|list", "selectattr({k}, 'equalto', {a})|list",
                "rejectattr({k}, 'defined')|list", "selectattr('role', 'in', ['user', 'system'])|map(attribute='content')|list",
                "sort(reverse={b})", "sort(attribute={k})", "sort(case_sensitive={b})", "unique(true)|list",
                "unique(attribute={k})|list", "batch({i})|list", "batch(2, {a})|list", "slice({i})|list", "slice(3, {a})|list",
                "groupby({k})", "groupby('role')|map('first')|list", "dictsort(by='value')", "dictsort(false, 'key', true)",
                "indent({i})", "indent({i}, true)", "indent(2, true, true)", "indent('> ')", "truncate({i})", "truncate(9, true, '..')",
                "truncate(5, false, '', 0)", "tojson(indent={i})", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)",
                "tojson(separators=(',', ':'))", "trim({s})", "format({a}, {a})", "center({i})", "attr({k})", "sum(start={i})",
                "min(attribute={k})", "max(case_sensitive=true)", "list|first", "list|last", "list|length", "map('length')|sum",
                "items|list", "reverse|list", "map('int', {i})|list", "first|default({a})"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean",
         "true", "false", "odd", "even", "lower", "upper", "callable", "escaped", "filter", "test"]
TESTS_WITH = ["divisibleby({i})", "divisibleby 2", "equalto({a})", "eq({a})", "ne({a})", "lt({i})", "le {i}", "gt({i})", "ge({i})",
              "in({l})", "in {l}", "sameas(none)", "sameas true", "lessthan(3)", "greaterthan {i}"]
METHODS = ["strip()", "lstrip()", "rstrip()", "strip({s})", "lstrip({s})", "rstrip({s})", "split()", "split({s})", "split({s}, {i})",
           "split(None, {i})", "split(maxsplit={i})", "rsplit({s}, {i})", "rsplit(None, {i})", "splitlines()", "splitlines(true)",
           "startswith({s})", "endswith({s})", "startswith(({s}, {s}))", "startswith({s}, {i})", "upper()", "lower()", "title()",
           "capitalize()", "swapcase()", "replace({s}, {s})", "replace({s}, {s}, {i})", "find({s})", "find({s}, {i})", "rfind({s})",
           "find({s}, {i}, {i})", "index({s})", "count({s})", "count({s}, {i})", "join({l})", "join(['a', 'b'])", "join({s})",
           "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()",
           "removeprefix({s})", "removesuffix({s})", "partition({s})", "rpartition({s})", "zfill({i})", "ljust({i})",
           "rjust({i}, '*')", "center({i}, '-')", "format({a}, {a})", "format(a={a})", "isascii()", "isprintable()"]
DICT_METHODS = ["items()|list", "keys()|list", "values()|list", "get({k})", "get({k}, {a})", "items()", "keys()", "copy()",
                "get('a')", "values()"]
KEYS = ["'a'", "'role'", "'content'", "'b'", "'x.y'", "'type'", "'items'", "'0'", "0", "'text'", "'nothing'", "'x'"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]


class Maker:
    def __init__(self, random):
        self.random = random

    def pick(self, items):
        return self.random.choice(items)

    def string(self):
        quote = self.pick("'\"")
        text = self.pick(STRINGS)
        return quote + text.replace(quote, "\\" + quote if not text.endswith("\\") else "") + quote if quote not in text or quote == '"' \
            and '\\"' in text else '"' + text + '"'

    def integer(self):
        return str(self.pick([0, 1, 2, 3, -1, -2, 5, 7, 10, -3, 100, 63]))

    def real(self):
        return self.pick(["0.5", "1.0", "2.75", "1e3", "1.5e-7", "3.0e16", "-0.0", "0.1", "1_0.2_5", "2e22", "123456789.125"])

    def listing(self, depth):
        return "[" + ", ".join(self.expression(depth - 1) for _ in range(self.random.randrange(4))) + "]"

    def atom(self, depth):
        kind = self.random.randrange(12)
        if kind < 4:
            return self.pick(NAMES)
        if kind < 6:
            return self.string()
        if kind == 6:
            return self.integer()
        if kind == 7:
            return self.real()
        if kind == 8:
            return self.pick(["true", "false", "none", "True", "None"])
        if depth <= 0:
            return self.pick(NAMES)
        if kind == 9:
            return self.listing(depth)
        if kind == 10:
            return "{" + ", ".join(f"{self.pick(KEYS)}: {self.expression(depth - 1)}" for _ in range(self.random.randrange(3))) + "}"
        return "(" + self.expression(depth - 1) + self.pick(["", ",", ", " + self.expression(depth - 1)]) + ")"

    def fill(self, pattern, depth):
        makers = {"{a}": lambda: self.atom(depth - 1), "{s}": self.string, "{i}": self.integer, "{f}": self.real,
                  "{b}": lambda: self.pick(["true", "false"]), "{k}": lambda: self.pick(KEYS),
                  "{l}": lambda: self.listing(1), "{filter}": lambda: "'" + self.pick(FILTERS) + "'",
                  "{test}": lambda: "'" + self.pick(TESTS) + "'"}
        for mark, make in makers.items():
            while mark in pattern:
                pattern = pattern.replace(mark, make(), 1)
        return pattern

    def subscript(self, depth):
        def bound():
            return self.pick(["", self.integer(), self.integer()])

        kind = self.random.randrange(5)
        if kind == 0:
            return f"[{bound()}:{bound()}]"
        if kind == 1:
            return f"[{bound()}:{bound()}:{bound()}]"
        if kind == 2:
            return f"[{self.integer()}]"
        if kind == 3:
            return f"[{self.pick(KEYS)}]"
        return "." + self.pick(["a", "b", "role", "content", "items", "x", "y", "nothing", "0", "text"])

    def expression(self, depth):
        if depth <= 0:
            return self.atom(0)
        kind = self.random.randrange(20)
        if kind < 3:
            return self.atom(depth)
        if kind < 6:
            return f"{self.operand(depth)} {self.pick(BINARY)} {self.operand(depth)}"
        if kind < 8:
            return f"{self.operand(depth)}|{self.pick(FILTERS)}"
        if kind < 11:
            return f"{self.operand(depth)}|{self.fill(self.pick(FILTERS_WITH), depth)}"
        if kind < 13:
            return f"{self.operand(depth)} is {self.pick(['', 'not '])}{self.fill(self.pick(TESTS + TESTS_WITH), depth)}"
        if kind < 15:
            owner = self.pick(["s", "u", self.string(), self.operand(depth)])
            return f"{owner}.{self.fill(self.pick(METHODS), depth)}"
        if kind == 15:
            owner = self.pick(["d", "deep", "messages[0]", self.operand(depth)])
            return f"{owner}.{self.fill(self.pick(DICT_METHODS), depth)}"
        if kind == 16:
            return f"{self.operand(depth)}{self.subscript(depth)}"
        if kind == 17:
            return f"{self.operand(depth)} if {self.operand(depth)}" + self.pick(["", f" else {self.operand(depth)}"])
        if kind == 18:
            return self.pick(["not ", "-", "+"]) + self.operand(depth)
        return self.pick([f"range({self.integer()})|list", f"range({self.integer()}, {self.integer()})|list",
                          f"range({self.integer()}, 20, {self.integer()})", f"dict(a={self.atom(0)}, **d)", "dict(d, b=2)",
                          f"namespace(x={self.atom(0)}).x", f"dict([('k', {self.atom(0)})])",
                          f"{self.string()} {self.string()}", f"1 < {self.atom(0)} < {self.integer()}"])

    def operand(self, depth):
        text = self.expression(depth - 1)
        return text if self.random.random() < 0.35 or text.isidentifier() else f"({text})"

    def safe(self, depth):
        """An expression that rarely fails, so that whole templates come to their end."""
        kind = self.random.randrange(14)
        if depth <= 0 or kind < 2:
            return self.pick(["n", "s", "u", "b", "f", "words", "nums", "d", "l", "messages[0].role", "x", "v", self.string(), self.integer()])
        a, b = self.safe(depth - 1), self.safe(depth - 1)
        return [f"{a} ~ {b}", f"({a})|string|{self.pick(['upper', 'lower', 'title', 'trim', 'capitalize', 'length', 'wordcount', 'reverse'])}",
                f"({a}) == ({b})", f"({a}) is {self.pick(['string', 'defined', 'number', 'mapping', 'iterable', 'none', 'sequence'])}",
                f"({a}) and ({b})", f"({a}) or ({b})", f"({a}) if ({b}) else {self.integer()}", f"[{a}, {b}]", f"({a}) in [{b}, n]",
                f"(({a})|string)[{self.integer()}:]", f"({a})|tojson", f"(({a})|string).{self.fill(self.pick(METHODS[:24]), 1)}"][kind - 2]

    # ---- statements

    def open_tag(self):
        return "{%" + self.pick(["", "", "-", "+"])

    def close_tag(self):
        return self.pick(["", "", "-"]) + "%}"

    def text(self):
        return self.pick(["", " ", "\n", "  \n  ", "a", "x\n", "\n\n  y ", "\r\n", "\u4f60", "<|im_end|>", " \t"])

    def tag(self, inside):
        return f"{self.open_tag()} {inside} {self.close_tag()}{self.text()}"

    def statement(self, depth):
        e = lambda d=1: self.expression(d) if self.random.random() < 0.15 else self.safe(d)  # noqa: E731
        kind = self.random.randrange(16) if depth > 0 else self.random.randrange(4)
        if kind < 3:
            return "{{" + self.pick([" ", "- ", " "]) + e(2) + self.pick([" ", " -", " "]) + "}}"
        if kind == 3:
            return self.tag("set " + self.pick(["v", "w", "n", "v, w", "ns.x"]) + " = " + e(2))
        body = lambda: self.body(depth - 1)  # noqa: E731
        if kind < 6:
            return (self.tag("if " + e(2)) + body() + self.pick(["", self.tag("elif " + e(2)) + body()])
                    + self.pick(["", self.tag("else") + body()]) + self.tag("endif"))
        if kind < 11:
            target, source = self.pick([("x", e(2)), ("x", "words"), ("x", "nums"), ("m", "messages"), ("k, v", "d.items()"),
                                        ("k, v", "d|dictsort"), ("x", "range(4)"), ("c", "u"), ("x", "words|select('string')"),
                                        ("x", "l")])
            condition = self.pick(["", "", f" if {target[0]} is {self.pick(TESTS)}", " if " + e(1)])
            loop = self.pick(["", "{{ loop.index }}{{ loop.last }}", "{{ loop.length }}/{{ loop.revindex0 }}",
                              "{{ loop.previtem is defined }}{{ loop.nextitem|default('-') }}", "{{ loop.cycle('a', 'b') }}",
                              "{% if loop.index > 2 %}{% break %}{% endif %}", "{% if loop.first %}{% continue %}{% endif %}",
                              "{{ loop.changed(loop.index // 2) }}", "{{ loop.first }}{{ loop.index0 }}{{ loop.depth }}"])
            return (self.tag(f"for {target} in {source}{condition}") + self.pick(["{{ x }}", "{{ m.role }}", "", ""]) + loop + body()
                    + self.pick(["", self.tag("else") + body()]) + self.tag("endfor"))
        if kind == 11:
            return self.tag("set v" + self.pick(["", " | upper", " | trim | length"])) + body() + self.tag("endset") + "{{ v }}"
        if kind == 12:
            return (self.tag(self.pick(["macro mm(p, q='d')", "macro mm(p)", "macro mm()", "macro mm(p=1, q=p)"])) + body()
                    + self.pick(["{{ p }}", "{{ q }}", "{{ varargs }}", "{{ kwargs }}", ""]) + self.tag("endmacro")
                    + "{{ mm(" + self.pick(["", e(1), f"{self.atom(0)}, q={self.atom(0)}", "1, 2, 3", "z=1"]) + ") }}")
        if kind == 13:
            return self.tag("filter " + self.pick(["upper", "trim", "indent(2)", "replace('a', 'bb')|title"])) + body() + self.tag("endfilter")
        if kind == 14:
            return self.tag("generation") + body() + self.tag("endgeneration")
        return self.pick(["{# comment #}\n", "{#- c -#} ", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} {% x %} {%- endraw -%} ",
                          self.tag("with v = n, w = v") + body() + "{{ v }}" + self.tag("endwith"),
                          self.tag("call(z) mm(1)") + "{{ z }}" + self.tag("endcall"), "{% set ns = namespace(x=0) %}"])

    def body(self, depth):
        return "".join(self.text() + self.statement(depth) for _ in range(self.random.randrange(1, 3))) + self.text()

    def template(self):
        return "{% set ns = namespace(x=1) %}" + "".join(self.body(2) for _ in range(self.random.randrange(1, 3)))
