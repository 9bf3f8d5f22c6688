//! Expressions on text: `.` and negated classes stand for characters, while `\w`, `\d`, `\s`, `\b`
//! and `(?i)` stay ASCII, as in expressions on bytes. So no Unicode tables are needed, which would
//! make the program and its automata many times larger.

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl,
    ClassPerlKind, ClassSet, ClassSetItem, ClassSetRange, ClassSetUnion, Flag, Flags, FlagsItem,
    FlagsItemKind, Group, GroupKind, Literal, LiteralKind, Span,
};

/// Replaces everything that Unicode tables would be needed for by its ASCII form.
pub fn use_ascii_classes(ast: &mut Ast) {
    expression(ast, &mut Case::Sensitive);
}

/// Whether letters match in both cases (`(?i)`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Sensitive,
    Insensitive,
}

/// Flags that are set in the middle hold until the end of their group, so `case` is an output too.
fn expression(ast: &mut Ast, case: &mut Case) {
    match ast {
        Ast::Flags(set) => take_case(&mut set.flags, case),
        Ast::Literal(literal) if *case == Case::Insensitive && literal.c.is_ascii_alphabetic() => {
            let items = both_cases(literal);
            *ast = bracketed(literal.span, items);
        }
        Ast::ClassPerl(class) => {
            let item = ClassSetItem::Ascii(ascii(class));
            *ast = bracketed(class.span, vec![item]);
        }
        Ast::ClassBracketed(class) => class_set(&mut class.kind, *case),
        Ast::Assertion(assertion) if !is_line_or_text(&assertion.kind) => {
            *ast = on_bytes(assertion);
        }
        Ast::Repetition(repetition) => expression(&mut repetition.ast, case),
        Ast::Group(group) => {
            let mut inner = *case;
            if let GroupKind::NonCapturing(flags) = &mut group.kind {
                take_case(flags, &mut inner);
            }
            expression(&mut group.ast, &mut inner);
        }
        Ast::Alternation(alternation) => {
            for ast in &mut alternation.asts {
                expression(ast, case);
            }
        }
        Ast::Concat(concat) => {
            for ast in &mut concat.asts {
                expression(ast, case);
            }
        }
        Ast::Empty(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_) => {}
    }
}

/// Takes the flag `i` out of these flags.
fn take_case(flags: &mut Flags, case: &mut Case) {
    let mut value = Case::Insensitive;
    flags.items.retain(|item| match item.kind {
        FlagsItemKind::Negation => {
            value = Case::Sensitive;
            true
        }
        FlagsItemKind::Flag(Flag::CaseInsensitive) => {
            *case = value;
            false
        }
        FlagsItemKind::Flag(_) => true,
    });
}

fn is_line_or_text(kind: &AssertionKind) -> bool {
    matches!(
        kind,
        AssertionKind::StartLine
            | AssertionKind::EndLine
            | AssertionKind::StartText
            | AssertionKind::EndText
    )
}

/// `\b` as `(?-u:\b)`.
fn on_bytes(assertion: &Assertion) -> Ast {
    let span = assertion.span;
    let item = |kind| FlagsItem { span, kind };
    let items = vec![
        item(FlagsItemKind::Negation),
        item(FlagsItemKind::Flag(Flag::Unicode)),
    ];
    Ast::group(Group {
        span,
        kind: GroupKind::NonCapturing(Flags { span, items }),
        ast: Box::new(Ast::assertion(assertion.clone())),
    })
}

fn bracketed(span: Span, items: Vec<ClassSetItem>) -> Ast {
    Ast::class_bracketed(ClassBracketed {
        span,
        negated: false,
        kind: ClassSet::Item(ClassSetItem::Union(ClassSetUnion { span, items })),
    })
}

fn ascii(class: &ClassPerl) -> ClassAscii {
    ClassAscii {
        span: class.span,
        kind: match class.kind {
            ClassPerlKind::Digit => ClassAsciiKind::Digit,
            ClassPerlKind::Space => ClassAsciiKind::Space,
            ClassPerlKind::Word => ClassAsciiKind::Word,
        },
        negated: class.negated,
    }
}

fn class_set(set: &mut ClassSet, case: Case) {
    match set {
        ClassSet::Item(item) => class_item(item, case),
        ClassSet::BinaryOp(operation) => {
            class_set(&mut operation.lhs, case);
            class_set(&mut operation.rhs, case);
        }
    }
}

fn class_item(item: &mut ClassSetItem, case: Case) {
    let insensitive = case == Case::Insensitive;
    match item {
        ClassSetItem::Perl(class) => *item = ClassSetItem::Ascii(ascii(class)),
        ClassSetItem::Bracketed(class) => class_set(&mut class.kind, case),
        ClassSetItem::Union(union) => {
            for item in &mut union.items {
                class_item(item, case);
            }
        }
        ClassSetItem::Literal(literal) if insensitive && literal.c.is_ascii_alphabetic() => {
            let (span, items) = (literal.span, both_cases(literal));
            *item = ClassSetItem::Union(ClassSetUnion { span, items });
        }
        ClassSetItem::Range(range) if insensitive => {
            let span = range.span;
            let mut items = vec![ClassSetItem::Range(range.clone())];
            items.extend(other_case(range, 'a', 'z', |c| c.to_ascii_uppercase()));
            items.extend(other_case(range, 'A', 'Z', |c| c.to_ascii_lowercase()));
            *item = ClassSetItem::Union(ClassSetUnion { span, items });
        }
        ClassSetItem::Ascii(class)
            if insensitive
                && matches!(class.kind, ClassAsciiKind::Lower | ClassAsciiKind::Upper) =>
        {
            class.kind = ClassAsciiKind::Alpha;
        }
        ClassSetItem::Empty(_)
        | ClassSetItem::Literal(_)
        | ClassSetItem::Range(_)
        | ClassSetItem::Ascii(_)
        | ClassSetItem::Unicode(_) => {}
    }
}

fn both_cases(literal: &Literal) -> Vec<ClassSetItem> {
    let with = |c: char| {
        ClassSetItem::Literal(Literal {
            span: literal.span,
            kind: LiteralKind::Verbatim,
            c,
        })
    };
    vec![
        with(literal.c.to_ascii_lowercase()),
        with(literal.c.to_ascii_uppercase()),
    ]
}

/// The part of a range from `first` to `last`, in the other case.
fn other_case(
    range: &ClassSetRange,
    first: char,
    last: char,
    convert: impl Fn(char) -> char,
) -> Option<ClassSetItem> {
    let (start, end) = (range.start.c.max(first), range.end.c.min(last));
    let end_of = |literal: &Literal, c: char| Literal {
        span: literal.span,
        kind: LiteralKind::Verbatim,
        c: convert(c),
    };
    (start <= end).then(|| {
        ClassSetItem::Range(ClassSetRange {
            span: range.span,
            start: end_of(&range.start, start),
            end: end_of(&range.end, end),
        })
    })
}
