//! Functions and loops.

use super::super::LOOPS_MOST;
use super::super::code::{Code, Find, Loop, Sum};
use super::super::fault::{Place, RuleError};
use super::super::ground;
use super::super::syntax::{Kind, Node, Ty};
use super::{Checker, Part};

const FUNCTIONS: &str = "; there are has, size, contains, startsWith, endsWith, all, exists, exists_one, filter and map";

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        node: &Node,
        target: Option<&Node>,
        name: &str,
        args: &[Node],
    ) -> Result<Part, RuleError> {
        match (name, target, args) {
            ("has", None, [arg]) => self.has(arg),
            ("size", None, [of]) | ("size", Some(of), []) => self.size(of),
            ("contains", Some(of), [arg]) => self.find(Find::Contains, of, arg),
            ("startsWith", Some(of), [arg]) => self.find(Find::StartsWith, of, arg),
            ("endsWith", Some(of), [arg]) => self.find(Find::EndsWith, of, arg),
            ("all", Some(of), [var, test]) => self.looped(Sum::All, of, var, [Some(test), None]),
            ("exists", Some(of), [var, test]) => {
                self.looped(Sum::Exists, of, var, [Some(test), None])
            }
            ("exists_one", Some(of), [var, test]) => {
                self.looped(Sum::ExistsOne, of, var, [Some(test), None])
            }
            ("filter", Some(of), [var, test]) => {
                self.looped(Sum::Filter, of, var, [Some(test), None])
            }
            ("map", Some(of), [var, gives]) => self.looped(Sum::Map, of, var, [None, Some(gives)]),
            ("map", Some(of), [var, test, gives]) => {
                self.looped(Sum::Map, of, var, [Some(test), Some(gives)])
            }
            (
                "has" | "size" | "contains" | "startsWith" | "endsWith" | "all" | "exists"
                | "exists_one" | "filter" | "map",
                ..,
            ) => self.wrong(
                node,
                format!("`{name}` is not called in this way, or with so many values"),
            ),
            ("matches", ..) => {
                let hint = "; regular expressions are not allowed in rules".into();
                self.unknown(node, "function", name, hint)
            }
            _ => self.unknown(node, "function", name, FUNCTIONS.into()),
        }
    }

    fn has(&mut self, arg: &Node) -> Result<Part, RuleError> {
        let Kind::Field(of, field) = &arg.kind else {
            return self.wrong(
                arg,
                "`has` asks for a field, as in has(buyer.region)".into(),
            );
        };
        let (fact, _) = self.field(arg, of, field)?;
        Ok(Part::plain(Code::Has(fact), Ty::Bool))
    }

    fn size(&mut self, of: &Node) -> Result<Part, RuleError> {
        let part = self.part(of)?;
        if part.ty != Ty::Text && !part.ty.is_list() {
            let found = part.ty.name();
            return self.wrong(
                of,
                format!("only strings and lists have a size, and this is {found}"),
            );
        }
        let code = Code::Size(Box::new(part.code));
        Ok(Part::costing(code, Ty::Int, part.steps.saturating_add(1)))
    }

    fn find(&mut self, find: Find, of: &Node, arg: &Node) -> Result<Part, RuleError> {
        let (text, part) = (self.part(of)?, self.part(arg)?);
        self.is(of, &text, Ty::Text, "what is searched")?;
        self.is(arg, &part, Ty::Text, "what is searched for")?;
        let steps = text.steps.saturating_add(part.steps).saturating_add(1);
        let code = Code::Find(find, Box::new(text.code), Box::new(part.code));
        Ok(Part::costing(code, Ty::Bool, steps))
    }

    /// A loop over a list: which elements count, and what is made of them.
    fn looped(
        &mut self,
        sum: Sum,
        of: &Node,
        var: &Node,
        [test, gives]: [Option<&Node>; 2],
    ) -> Result<Part, RuleError> {
        let range = self.part(of)?;
        if !range.ty.is_list() {
            let found = range.ty.name();
            return self.wrong(of, format!("a loop goes over a list, and this is {found}"));
        }
        let name = self.variable(var)?;
        if self.scope.len() >= LOOPS_MOST {
            let at = Place::of(self.text, var.at);
            return Err(RuleError::Deep { at });
        }
        let local = self.scope.len();
        // In the empty list nothing is ever looked at, so its elements may be of any type.
        self.scope
            .push((name, range.ty.element().unwrap_or(Ty::Text)));
        self.locals = self.locals.max(self.scope.len());
        let counts = self.optional(test, Code::Bool(true))?;
        let made = self.optional(gives, Code::Local(local))?;
        self.scope.pop();
        if let Some(test) = test {
            self.is(test, &counts, Ty::Bool, "a loop's test")?;
        }
        let ty = match (sum, gives) {
            (Sum::All | Sum::Exists | Sum::ExistsOne, _) => Ty::Bool,
            (Sum::Map, Some(gives)) => match made.ty.list() {
                Some(list) => list,
                None => return self.wrong(gives, "a list holds no lists".into()),
            },
            (Sum::Filter | Sum::Map, _) => range.ty,
        };
        let round = counts.steps.saturating_add(made.steps).saturating_add(1);
        let rounds = range.length.saturating_mul(round);
        let steps = range.steps.saturating_add(rounds).saturating_add(1);
        let code = Code::Loop(Box::new(Loop {
            sum,
            range: range.code,
            local,
            test: counts.code,
            gives: made.code,
        }));
        Ok(Part {
            length: if ty.is_list() { range.length } else { 0 },
            ..Part::costing(code, ty, steps)
        })
    }

    fn optional(&mut self, node: Option<&Node>, otherwise: Code) -> Result<Part, RuleError> {
        node.map_or(Ok(Part::plain(otherwise, Ty::Bool)), |node| self.part(node))
    }

    fn variable(&self, var: &Node) -> Result<Box<str>, RuleError> {
        let Kind::Name(name) = &var.kind else {
            return self.wrong(var, "a loop begins with the name of its variable".into());
        };
        if &**name == "now" || ground::fields(name).is_some() {
            return self.wrong(var, format!("`{name}` is a name of Tidegate's"));
        }
        Ok(name.clone())
    }
}
