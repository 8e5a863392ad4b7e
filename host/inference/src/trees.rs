//! Tree ensembles, looked at before anything follows their indices: a broken tree would lead out of itself, or in a circle.

use std::collections::BTreeMap;

use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::refused::{Refused, shown};

/// What a step down a tree costs, in units of work.
const STEP: u64 = 4;

/// What adding a leaf's vote costs, in units of work.
const VOTE: u64 = 2;

/// Checks an ensemble; gives the most work that a row can cost.
///
/// # Errors
///
/// [`Refused::Tree`] with what is wrong.
pub(crate) fn check(node: &NodeProto) -> Result<u64, Refused> {
    Ensemble { node }.check().map_err(|why| Refused::Tree { node: shown(&node.name), why })
}

struct Ensemble<'n> {
    node: &'n NodeProto,
}

/// A tree's nodes, by their number.
struct Tree {
    /// What a node leads to, or that it is a leaf.
    children: Vec<Option<[usize; 2]>>,
}

impl<'n> Ensemble<'n> {
    fn attribute(&self, name: &str) -> Option<&'n AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn numbers(&self, name: &str) -> Result<Vec<usize>, String> {
        let attribute = self.attribute(name).ok_or_else(|| format!("it has no \"{name}\""))?;
        let number = |number: &i64| {
            let small = u32::try_from(*number).ok().and_then(|number| usize::try_from(number).ok());
            small.ok_or_else(|| format!("\"{name}\" holds {number}"))
        };
        attribute.ints.iter().map(number).collect()
    }

    fn check(&self) -> Result<u64, String> {
        let mut seen: Vec<&str> =
            self.node.attribute.iter().map(|attribute| attribute.name.as_str()).collect();
        seen.sort_unstable();
        if let Some(twice) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("{:?} is there twice", shown(twice[0])));
        }
        self.check_transform()?;
        let trees = self.numbers("nodes_treeids")?;
        let numbers = self.numbers("nodes_nodeids")?;
        let lower = self.numbers("nodes_truenodeids")?;
        let upper = self.numbers("nodes_falsenodeids")?;
        let features = self.numbers("nodes_featureids")?;
        let modes = self.attribute("nodes_modes").map(|modes| modes.strings.as_slice()).unwrap_or_default();
        let count = trees.len();
        let lengths = [numbers.len(), lower.len(), upper.len(), features.len(), modes.len()];
        if count == 0 || lengths.iter().any(|length| *length != count) {
            return Err("its lists of nodes are empty, or of different lengths".to_owned());
        }
        let mut work = 0;
        let mut start = 0;
        while start < count {
            let tree = trees[start];
            let end = (start..count).find(|place| trees[*place] != tree).unwrap_or(count);
            let of_tree = start..end;
            let mut children = vec![None; of_tree.len()];
            for (expected, place) in of_tree.clone().enumerate() {
                // The runtime takes a number for a place.
                if numbers[place] != expected {
                    return Err(format!(
                        "the nodes of tree {tree} are not numbered 0, 1, 2, … in their order"
                    ));
                }
                children[expected] = is_branch(&modes[place])?.then_some([lower[place], upper[place]]);
            }
            work += STEP
                * Tree { children }.depth().ok_or_else(|| {
                    format!("a node of tree {tree} leads to one that is not below it, or that there is not")
                })?;
            start = end;
        }
        self.check_leaves()?;
        Ok(work.saturating_add(self.votes()?))
    }

    /// `f32::exp` differs between machines, and some transformations need it.
    fn check_transform(&self) -> Result<(), String> {
        let transform = self.attribute("post_transform").map_or(&b"NONE"[..], |attribute| &attribute.s);
        if [&b"NONE"[..], b"LOGISTIC"].contains(&transform) {
            return Ok(());
        }
        let found = shown(&String::from_utf8_lossy(transform));
        Err(format!("its \"post_transform\" is {found:?}; NONE and LOGISTIC are known"))
    }

    /// The most work of adding votes, for all trees: that of each one's fullest leaf.
    fn votes(&self) -> Result<u64, String> {
        let (trees, leaves) = (self.numbers("class_treeids")?, self.numbers("class_nodeids")?);
        let mut of_leaf = BTreeMap::<(usize, usize), u64>::new();
        for leaf in trees.into_iter().zip(leaves) {
            *of_leaf.entry(leaf).or_default() += VOTE;
        }
        let mut fullest = BTreeMap::<usize, u64>::new();
        for ((tree, _), work) in of_leaf {
            let most = fullest.entry(tree).or_default();
            *most = work.max(*most);
        }
        Ok(fullest.into_values().sum())
    }

    /// A leaf's votes are for classes that there are.
    fn check_leaves(&self) -> Result<(), String> {
        let labels =
            |name| self.attribute(name).map_or(0, |labels| labels.ints.len().max(labels.strings.len()));
        let classes = labels("classlabels_int64s").max(labels("classlabels_strings"));
        match self.numbers("class_ids")?.into_iter().find(|class| *class >= classes) {
            None => Ok(()),
            Some(class) => Err(format!("a leaf votes for class {class} of {classes}")),
        }
    }
}

/// Whether a node is one with two ways on. Greater-or-equal, which ONNX knows too, the runtime mistakes for a leaf.
fn is_branch(mode: &[u8]) -> Result<bool, String> {
    match mode {
        b"LEAF" => Ok(false),
        b"BRANCH_LEQ" | b"BRANCH_LT" | b"BRANCH_GT" => Ok(true),
        other => Err(format!("a node's mode is {:?}", shown(&String::from_utf8_lossy(other)))),
    }
}

impl Tree {
    /// The steps of the longest way from the root to a leaf; `None` when a way never ends, or leaves the tree. Children
    /// must come after their parents, as exporters write them, so one look at each is enough.
    fn depth(&self) -> Option<u64> {
        let mut depth = vec![0_u64; self.children.len()];
        let mut deepest = 0;
        for (place, children) in self.children.iter().enumerate() {
            for child in children.iter().flatten() {
                if *child <= place {
                    return None;
                }
                let below = depth[place] + 1;
                let known = depth.get_mut(*child)?;
                *known = below.max(*known);
                deepest = deepest.max(below);
            }
        }
        Some(deepest + 1)
    }
}
