//! Finds the circles among the dependencies.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::module::{Module, ModuleId};
use crate::resolve::Dependencies;

/// Modules that all depend on each other, directly or by way of others: a strongly connected component.
#[derive(Debug)]
pub struct Circle {
    /// The paths of the modules.
    pub modules: Vec<String>,
    /// Every dependency of one of them on another.
    pub dependencies: Vec<Dependency>,
}

/// What a module of a circle needs from another of it.
#[derive(Debug)]
pub struct Dependency {
    /// The path of the module that names the items.
    pub from: String,
    /// The path of the module that defines them.
    pub to: String,
    /// The names as `to` defines them: `self` for the module, `*` for a glob.
    pub names: Vec<String>,
    /// The file that names the first of them.
    pub file: PathBuf,
    /// The line in `file`.
    pub line: usize,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} modules import each other in a circle:", self.modules.len())?;
        for Dependency { from, to, names, file, line } in &self.dependencies {
            let (file, names) = (file.display(), names.join(", "));
            writeln!(f, "  {file}:{line}: {from} uses {to}::{{{names}}}")?;
        }
        Ok(())
    }
}

/// All circles. A module that is in two of them makes them one.
pub(crate) fn find(modules: &[Module], dependencies: &Dependencies<'_>) -> Vec<Circle> {
    let reached: Vec<_> = (0..modules.len()).map(|id| reached_from(id, dependencies)).collect();
    let mut circles = BTreeSet::new();
    for (id, others) in reached.iter().enumerate().filter(|(id, others)| others.contains(id)) {
        let members = others.iter().copied().filter(|other| reached[*other].contains(&id));
        circles.insert(members.collect::<BTreeSet<ModuleId>>());
    }
    circles.iter().map(|members| circle(modules, members, dependencies)).collect()
}

/// The modules to which the dependencies of a module lead.
fn reached_from(start: ModuleId, dependencies: &Dependencies<'_>) -> BTreeSet<ModuleId> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(from) = open.pop() {
        for (_, to) in dependencies.range((from, 0)..(from + 1, 0)).map(|(edge, _)| edge) {
            if reached.insert(*to) {
                open.push(*to);
            }
        }
    }
    reached
}

fn circle(
    modules: &[Module],
    members: &BTreeSet<ModuleId>,
    dependencies: &Dependencies<'_>,
) -> Circle {
    let path = |id: &ModuleId| modules[*id].path.clone();
    let within = dependencies
        .iter()
        .filter(|((from, to), _)| members.contains(from) && members.contains(to));
    let dependencies = within.filter_map(|((from, to), names)| {
        let mut names: Vec<_> = names.iter().collect();
        names.sort_by_key(|(_, mention)| (&mention.file, mention.line));
        let (_, first) = *names.first()?;
        Some(Dependency {
            from: path(from),
            to: path(to),
            names: names.iter().map(|(name, _)| (*name).clone()).collect(),
            file: first.file.clone(),
            line: first.line,
        })
    });
    Circle { modules: members.iter().map(path).collect(), dependencies: dependencies.collect() }
}
