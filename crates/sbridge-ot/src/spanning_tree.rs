//! A spanning tree of the rows and columns of a transport problem, with the flow of its arcs and potentials of its nodes.
//!
//! A pivot brings in an arc, sends flow around the cycle it closes, and drops the arc that is emptied. Of the two parts the
//! tree falls into meanwhile, the smaller is turned so that it hangs from the new arc, and has its potentials shifted; so
//! the root changes now and then. Every subtree is one stretch of the list `next`, by which its nodes are found.
//!
//! Tests: after any pivots each part is whole, flows keep the masses, and potentials are those of the arcs.

/// No node.
const NONE: u32 = u32::MAX;

/// Nodes 0, …, n − 1 are rows, the others columns. Arrays hold for each node what belongs to the arc to its parent.
pub(crate) struct SpanningTree {
    rows: u32,
    parent: Vec<u32>,
    /// Neighbours in the list of nodes, in which parents come before children and every subtree is one stretch.
    next: Vec<u32>,
    previous: Vec<u32>,
    /// The last node of each subtree in the list, and the number of its nodes.
    last: Vec<u32>,
    size: Vec<u32>,
    flow: Vec<i128>,
    cost: Vec<f64>,
    /// Potentials: uᵢ of rows, vⱼ of columns, with uᵢ + vⱼ = cᵢⱼ along the arcs of the tree.
    potential: Vec<f64>,
}

/// An arc of the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arc {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) flow: i128,
    pub(crate) cost: f64,
}

impl SpanningTree {
    /// The tree of these arcs, which have to join all rows and columns.
    pub(crate) fn new(rows: usize, columns: usize, arcs: &[Arc]) -> Self {
        let count = rows + columns;
        let mut neighbours = vec![Vec::new(); count];
        for (k, arc) in arcs.iter().enumerate() {
            neighbours[arc.row].push((rows + arc.column, k));
            neighbours[rows + arc.column].push((arc.row, k));
        }
        let mut tree = Self {
            rows: rows as u32,
            parent: vec![NONE; count],
            next: vec![NONE; count],
            previous: vec![NONE; count],
            last: (0..count as u32).collect(),
            size: vec![1; count],
            flow: vec![0; count],
            cost: vec![0.0; count],
            potential: vec![0.0; count],
        };
        let mut order = vec![(0, NONE)];
        let mut reached = 0;
        while let Some(&(node, parent)) = order.get(reached) {
            reached += 1;
            for &(child, arc) in neighbours[node].iter().filter(|(child, _)| *child != parent as usize) {
                (tree.flow[child], tree.cost[child]) = (arcs[arc].flow, arcs[arc].cost);
                order.push((child, node as u32));
            }
        }
        for &(node, parent) in order[1..].iter().rev() {
            tree.hang(node as u32, parent);
        }
        tree.settle_potentials();
        tree
    }

    /// Potentials of rows and of columns.
    pub(crate) fn potentials(&self) -> (&[f64], &[f64]) {
        self.potential.split_at(self.rows as usize)
    }

    /// The arcs, in no particular order.
    pub(crate) fn arcs(&self) -> impl Iterator<Item = Arc> {
        let arc = |node: usize| {
            let (a, b) = (node, self.parent[node] as usize);
            let (row, column) = (a.min(b), a.max(b) - self.rows as usize);
            Arc { row, column, flow: self.flow[node], cost: self.cost[node] }
        };
        (0..self.parent.len()).filter(|&node| self.parent[node] != NONE).map(arc)
    }

    /// Works out all potentials anew from the arcs, without what rounding has added up in pivots, from a root in the middle
    /// of the costs: beside a potential of 10³² those of points close to each other would all be the same.
    pub(crate) fn settle_potentials(&mut self) {
        let root = self.row_of_median_arc();
        self.reroot(root);
        self.potential[root as usize] = 0.0;
        let mut node = self.next[root as usize];
        while node != NONE {
            let at = node as usize;
            self.potential[at] = self.cost[at] - self.potential[self.parent[at] as usize];
            node = self.next[at];
        }
    }

    fn row_of_median_arc(&self) -> u32 {
        let mut arcs: Vec<Arc> = self.arcs().collect();
        let middle = arcs.len() / 2;
        arcs.select_nth_unstable_by(middle, |a, b| a.cost.total_cmp(&b.cost)).1.row as u32
    }

    /// Brings in the arc from `row` to `column` of this cost, in place of the first arc that the flow around their cycle
    /// empties.
    pub(crate) fn pivot(&mut self, row: usize, column: usize, cost: f64) {
        let (row, column) = (row as u32, self.rows + column as u32);
        let reduced = cost - self.potential[row as usize] - self.potential[column as usize];
        let leaving = self.leaving(row, column);
        let flow = self.flow[leaving.node as usize];
        self.send(row, leaving.join, flow, true);
        self.send(column, leaving.join, flow, false);
        let is_smaller = 2 * self.size[leaving.node as usize] as usize <= self.parent.len();
        let (below, above) = if leaving.is_on_row_side { (row, column) } else { (column, row) };
        let (moved, fixed) = if is_smaller { (below, above) } else { (above, below) };
        self.cut(leaving.node);
        self.reroot(moved);
        self.shift(moved, reduced);
        self.hang(moved, fixed);
        (self.flow[moved as usize], self.cost[moved as usize]) = (flow, cost);
    }

    /// The arc that is emptied first when flow goes from `row` to `column`.
    fn leaving(&self, row: u32, column: u32) -> Leaving {
        let mut least = i128::MAX;
        let mut leaving = Leaving { node: NONE, is_on_row_side: false, join: NONE };
        let (mut a, mut b) = (row, column);
        while a != b {
            // The smaller subtree cannot hold the other node, so it is the one to leave.
            let is_on_row_side = self.size[a as usize] <= self.size[b as usize];
            let node = if is_on_row_side { a } else { b };
            // What the row sends along the new arc it takes from its other arcs, and so on up the tree.
            let loses = (node < self.rows) == is_on_row_side;
            if loses && self.flow[node as usize] < least {
                least = self.flow[node as usize];
                (leaving.node, leaving.is_on_row_side) = (node, is_on_row_side);
            }
            *(if is_on_row_side { &mut a } else { &mut b }) = self.parent[node as usize];
        }
        Leaving { join: a, ..leaving }
    }

    /// Changes the flow on the way from `node` up to `join`.
    fn send(&mut self, mut node: u32, join: u32, flow: i128, is_on_row_side: bool) {
        while node != join {
            let loses = (node < self.rows) == is_on_row_side;
            self.flow[node as usize] += if loses { -flow } else { flow };
            node = self.parent[node as usize];
        }
    }

    fn link(&mut self, before: u32, after: u32) {
        if before != NONE {
            self.next[before as usize] = after;
        }
        if after != NONE {
            self.previous[after as usize] = before;
        }
    }

    /// Takes the stretch from `first` to `last` out of its list; returns the node before it.
    fn take_out(&mut self, first: u32, last: u32) -> u32 {
        let (before, after) = (self.previous[first as usize], self.next[last as usize]);
        self.link(before, after);
        self.previous[first as usize] = NONE;
        self.next[last as usize] = NONE;
        before
    }

    /// Makes the subtree of `node` a tree of its own.
    fn cut(&mut self, node: u32) {
        let (last, size) = (self.last[node as usize], self.size[node as usize]);
        let before = self.take_out(node, last);
        let mut above = std::mem::replace(&mut self.parent[node as usize], NONE);
        while above != NONE {
            let at = above as usize;
            self.size[at] -= size;
            if self.last[at] == last {
                self.last[at] = before;
            }
            above = self.parent[at];
        }
    }

    /// Hangs the tree with root `root` below `parent`, as its first child.
    fn hang(&mut self, root: u32, parent: u32) {
        let (last, size) = (self.last[root as usize], self.size[root as usize]);
        let after = self.next[parent as usize];
        self.link(parent, root);
        self.link(last, after);
        self.parent[root as usize] = parent;
        let mut above = parent;
        while above != NONE {
            let at = above as usize;
            self.size[at] += size;
            if self.last[at] == parent {
                self.last[at] = last;
            }
            above = self.parent[at];
        }
    }

    /// Turns the tree that `root` is in so that it hangs from there.
    ///
    /// The list becomes the subtree of `root`, then what is left of its parent's when that is taken out, and so on up.
    fn reroot(&mut self, root: u32) {
        let (mut child, mut child_last) = (root, self.last[root as usize]);
        let mut end = child_last;
        let mut before = self.take_out(root, end);
        let mut above = std::mem::replace(&mut self.parent[root as usize], NONE);
        let mut arc = (self.flow[root as usize], self.cost[root as usize]);
        while above != NONE {
            let at = above as usize;
            let last = self.last[at];
            let piece_end = if last == child_last { before } else { last };
            before = self.take_out(above, piece_end);
            self.link(end, above);
            (end, child_last) = (piece_end, last);
            let own_arc = (self.flow[at], self.cost[at]);
            (self.flow[at], self.cost[at]) = std::mem::replace(&mut arc, own_arc);
            (child, above) = (above, std::mem::replace(&mut self.parent[at], child));
        }
        self.measure_again(child, end);
    }

    /// Sizes and last nodes of the path from what was the root to what is, when the list ends in `end`.
    fn measure_again(&mut self, old_root: u32, end: u32) {
        let total = self.size[old_root as usize];
        let mut node = old_root;
        loop {
            let at = node as usize;
            self.last[at] = end;
            node = self.parent[at];
            if node == NONE {
                self.size[at] = total;
                return;
            }
            self.size[at] = total - self.size[node as usize];
        }
    }

    /// Adds `change` to the potentials on the side of `root`, and takes it from those across, in the tree it is root of.
    fn shift(&mut self, root: u32, change: f64) {
        let changes = if root < self.rows { [change, -change] } else { [-change, change] };
        let mut node = root;
        while node != NONE {
            self.potential[node as usize] += changes[usize::from(node >= self.rows)];
            node = self.next[node as usize];
        }
    }
}

/// The arc that leaves the tree: that from `node` to its parent.
struct Leaving {
    node: u32,
    /// Whether it lies between the row of the new arc and `join`, or between its column and `join`.
    is_on_row_side: bool,
    /// Where both ways meet.
    join: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZES: [usize; 2] = [5, 7];

    fn cost(row: usize, column: usize) -> f64 {
        ((row * 31 + column * 17 + row * column * 7) % 23) as f64
    }

    /// The staircase of arcs along both sides, which holds 2 of every row but the first and 3 of every column but the first.
    fn staircase() -> SpanningTree {
        let arc = |row, column, flow| Arc { row, column, flow, cost: cost(row, column) };
        let along_row = (0..SIZES[1]).map(|column| arc(0, column, 3 + column as i128));
        let along_column = (1..SIZES[0]).map(|row| arc(row, 0, 2 + 10 * row as i128));
        SpanningTree::new(SIZES[0], SIZES[1], &along_row.chain(along_column).collect::<Vec<Arc>>())
    }

    fn masses(tree: &SpanningTree) -> [Vec<i128>; 2] {
        let mut masses = SIZES.map(|n| vec![0; n]);
        for arc in tree.arcs() {
            masses[0][arc.row] += arc.flow;
            masses[1][arc.column] += arc.flow;
        }
        masses
    }

    /// Nodes below `node`, by following parents.
    fn below(tree: &SpanningTree, node: u32) -> Vec<u32> {
        let is_below = |&other: &u32| {
            std::iter::successors(Some(other), |k| Some(tree.parent[*k as usize]).filter(|p| *p != NONE))
                .any(|k| k == node)
        };
        (0..12).filter(is_below).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn pivots_keep_masses_potentials_and_stretches(arcs in prop::collection::vec((0..5_usize, 0..7_usize), 1..40)) {
            let mut tree = staircase();
            let before = masses(&tree);
            for (row, column) in arcs {
                if tree.arcs().all(|arc| (arc.row, arc.column) != (row, column)) {
                    tree.pivot(row, column, cost(row, column));
                }
            }
            prop_assert_eq!(masses(&tree), before);
            prop_assert!(tree.arcs().all(|arc| arc.flow >= 0));
            prop_assert_eq!(tree.arcs().count(), 11);
            let (u, v) = tree.potentials();
            // Small whole numbers are exact.
            prop_assert!(tree.arcs().all(|arc| u[arc.row] + v[arc.column] == cost(arc.row, arc.column)));
            for node in 0..12 {
                let mut stretch = vec![node];
                while *stretch.last().unwrap_or(&NONE) != tree.last[node as usize] {
                    stretch.push(tree.next[stretch[stretch.len() - 1] as usize]);
                }
                prop_assert_eq!(stretch.len(), tree.size[node as usize] as usize);
                stretch.sort_unstable();
                prop_assert_eq!(stretch, below(&tree, node));
            }
        }
    }
}
