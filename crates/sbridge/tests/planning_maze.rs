//! The maze, its data and its plans against published and measured numbers, and against what can be computed
//! by hand.
#![allow(clippy::unwrap_used, missing_docs)]

use rayon::prelude::*;
use sbridge::planning::dataset::{Leg, windows, windows_to_targets};
use sbridge::planning::physics::{DT, RADIUS};
use sbridge::planning::{
    COLUMNS, Cell, Conditions, Controller, Execution, Follow, GoalKind, Layout, Maze, Measure, Normaliser,
    OfflineSettings, Outcome, Point, Policy, Query, Reward, Row, State, Summary, Task, Trajectory, Variant,
    episodes, execute, follow_policy, priors,
};
use sbridge::{Result, Rng};

const MAZES: [&str; 3] = ["umaze", "medium", "large"];

fn task(name: &str) -> Task {
    Task::named(name).unwrap()
}

fn maze(name: &str) -> Maze {
    Maze::new(task(name).layout)
}

fn refusal<T>(result: Result<T>) -> String {
    result.err().unwrap().to_string()
}

/// Four standard errors of the difference of two measurements.
fn assert_agree(found: Measure, known: f64, known_error: f64, what: &str) {
    let error = found.error.unwrap().hypot(known_error);
    let apart = (found.mean - known).abs() / error;
    assert!(apart < 4.0, "{what}: {:.3} and {known}, {apart:.1} standard errors apart", found.mean);
}

// Layouts.

#[test]
fn layouts_have_the_cells_and_goals_that_are_published() {
    for (name, cells, goal) in [
        ("umaze", 7, [1, 1]),
        ("medium", 26, [6, 6]),
        ("large", 46, [7, 9]),
        ("open", 15, [2, 3]),
        ("umaze-eval", 7, [1, 3]),
        ("medium-eval", 26, [1, 6]),
        ("large-eval", 47, [1, 9]),
    ] {
        let task = task(name);
        assert_eq!((task.layout.free_cells().len(), task.layout.goal()), (cells, Some(goal)), "{name}");
        task.layout.require_connected().unwrap();
        assert!(task.layout.is_free(goal) && !task.layout.is_free([0, 0]) && !task.layout.is_free([-1, 99]));
    }
    assert_eq!(Task::names().len(), 7);
    assert!(refusal(Task::named("huge")).contains("maze must be one of umaze, medium, large, open"));
}

#[test]
fn layouts_that_are_none_are_refused_with_place_and_fix() {
    for (text, said) in [
        (
            "####\n#O #\n###",
            "rows of 4 characters, like the first, got 3 characters in row 2 (from 0) (make rows equally",
        ),
        ("####\n#Ox#\n####", "got 'x' in row 1, column 2 (from 0) (write one of these)"),
        ("####/#OO /####", "closed by walls all around, got ' ' in row 1, column 3 (from 0) (write # there)"),
        ("####/#OO#/#O##", "got 'O' in row 2, column 1"),
        ("####/#GG#/####", "one G at most, got G in row 1, column 1 (from 0) and G in row 1, column 2"),
        ("###\n###", "a free cell, got walls alone (write O or G"),
        ("", "a free cell, got walls alone"),
    ] {
        let message = refusal(Layout::parse(text));
        assert!(message.contains(said), "{text:?}: {message}");
    }
    let wide = format!("{0}\n#{1}#\n{0}", "#".repeat(1002), "O".repeat(1000));
    assert!(refusal(Layout::parse(&wide)).contains("at most 1000 rows and columns, got 3 rows of 1002"));
    let parts = Layout::parse("#####\n#O#O#\n#####").unwrap();
    assert!(refusal(parts.require_connected()).contains("no way from the cell in row 1, column 1"));
    assert_eq!((parts.reachable([1, 3]), parts.shortest_path([1, 1], [1, 3])), (vec![[1, 3]], None));
}

#[test]
fn text_and_joined_rows_are_the_same_layout() {
    let joined = Layout::parse("#####/#GOO#/###O#/#OOO#/#####").unwrap();
    assert_eq!(Layout::parse("\n#####\r\n#G. #\r\n###O#\r\n#OOO#\r\n#####\r\n\n").unwrap(), joined);
    assert_eq!(joined.shape(), [5, 5]);
    assert_eq!((Layout::rounded([1.4, 2.6]), Layout::containing([1.4, 2.2])), ([1, 3], [2, 2]));
}

/// Fewest moves between all cells by Floyd and Warshall's algorithm.
fn all_distances(cells: &[Cell]) -> Vec<Vec<u64>> {
    let apart = |a: &Cell, b: &Cell| a[0].abs_diff(b[0]) + a[1].abs_diff(b[1]);
    let moves = |a: &Cell, b: &Cell| if apart(a, b) <= 1 { apart(a, b) } else { 1 << 40 };
    let mut table: Vec<Vec<u64>> =
        cells.iter().map(|a| cells.iter().map(|b| moves(a, b)).collect()).collect();
    for via in 0..cells.len() {
        let through = table[via].clone();
        for row in &mut table {
            let first = row[via];
            row.iter_mut().zip(&through).for_each(|(direct, rest)| *direct = (*direct).min(first + rest));
        }
    }
    table
}

#[test]
fn paths_are_shortest_and_ties_go_by_the_order_of_moves() {
    for name in Task::names() {
        let layout = task(name).layout;
        let cells = layout.free_cells();
        let table = all_distances(cells);
        for (from, row) in cells.iter().zip(&table) {
            assert_eq!(layout.reachable(*from), cells);
            for (to, moves) in cells.iter().zip(row) {
                let path = layout.shortest_path(*from, *to).unwrap();
                assert_eq!((path[0], path[path.len() - 1]), (*from, *to));
                assert_eq!(path.len() as u64, moves + 1, "{name}: {from:?} to {to:?}");
                assert!(path.iter().all(|cell| layout.is_free(*cell)));
                assert!(path.windows(2).all(|p| p[0][0].abs_diff(p[1][0]) + p[0][1].abs_diff(p[1][1]) == 1));
            }
        }
    }
    let open = task("open").layout;
    assert_eq!(open.shortest_path([1, 1], [3, 2]).unwrap(), [[1, 1], [1, 2], [2, 2], [3, 2]]);
    assert_eq!(open.shortest_path([3, 3], [1, 1]).unwrap(), [[3, 3], [3, 2], [3, 1], [2, 1], [1, 1]]);
    assert_eq!(open.shortest_path([0, 2], [1, 2]).unwrap(), [[0, 2], [1, 2]], "out of a wall beside it");
    assert_eq!(open.shortest_path([0, 0], [1, 2]), None, "no cell is beside the corner");
}

// Physics.

#[test]
fn one_step_is_what_the_equations_give() {
    let maze = maze("open");
    let still = State::at_rest([2.0, 3.0]);
    let step = maze.step(&still, [1.0, -7.0]).state;
    // Six digits are given; −7 is clipped to −1.
    assert!((step.velocity[0] - 0.238164).abs() < 5e-7 && (step.velocity[1] + 0.238164).abs() < 5e-7);
    assert_eq!(step.position, [2.0 + DT * step.velocity[0], 3.0 + DT * step.velocity[1]]);
    for speed in [5.0, 8.0] {
        let fast = State { velocity: [speed, 0.0], ..still };
        // Eight digits are given; faster than 5 counts as 5.
        assert!((maze.step(&fast, [1.0, 0.0]).state.velocity[0] - 5.2262556).abs() < 5e-8, "{speed}");
    }
}

#[test]
fn walls_stop_a_disc_and_take_nothing_from_what_goes_along_them() {
    let maze = maze("umaze");
    // Corridors leave the centre [i − 0.6, i + 0.2]: upper and lower ends in y, then in x.
    for (from, action, axis, end) in [
        ([1.0, 1.0], [0.0, -1.0], 1, 0.4),
        ([1.0, 3.0], [0.0, 1.0], 1, 3.2),
        ([1.0, 2.0], [-1.0, 0.0], 0, 0.4),
        ([3.0, 2.0], [1.0, 0.0], 0, 3.2),
        ([1.0, 2.0], [1.0, 0.0], 0, 1.2),
    ] {
        let mut state = State::at_rest(from);
        let mut touched = false;
        for _ in 0..100 {
            let step = maze.step(&state, action);
            (state, touched) = (step.state, step.touched);
        }
        assert!(touched && (state.position[axis] - end).abs() < 1e-12, "{state:?}");
        assert_eq!(state.velocity, [0.0, 0.0]);
        assert_eq!(state.position[1 - axis], from[1 - axis]);
    }
    let sliding = State { position: [1.2, 1.5], velocity: [0.3, 2.0] };
    let free = State { position: [0.8, 1.5], velocity: [0.3, 2.0] };
    let (slid, flown) = (maze.step(&sliding, [1.0, 0.5]), maze.step(&free, [1.0, 0.5]));
    assert!(slid.touched && !flown.touched);
    assert_eq!(slid.state.velocity, [0.0, flown.state.velocity[1]]);
    assert_eq!(slid.state.position[1], flown.state.position[1]);
}

#[test]
fn a_disc_is_never_in_a_wall() {
    let (maze, mut rng) = (maze("large"), Rng::new(3));
    // The same pushes without walls, for which this has to fail.
    let (mut state, mut deepest, mut deepest_free): (_, f64, f64) = (maze.reset(&mut rng), 0.0, 0.0);
    let mut through = state;
    for k in 0..200_000 {
        let push = if k % 200 < 120 { rng.uniform(2, -6.0, 6.0) } else { vec![1.0, -1.0] };
        let action = [push[0], push[1]];
        state = maze.step(&state, action).state;
        through.velocity = maze.step(&State { position: [3.0, 3.0], ..through }, action).state.velocity;
        through.position = std::array::from_fn(|j| through.position[j] + DT * through.velocity[j]);
        deepest = deepest.max(maze.penetration(state.position));
        deepest_free = deepest_free.max(maze.penetration(through.position));
    }
    assert!(deepest < 1e-9, "{deepest}");
    assert!(deepest_free > RADIUS, "{deepest_free}");
    // Someone else's state within a wall is pushed out by the nearest side.
    let maze = self::maze("umaze");
    let out = maze.step(&State::at_rest([1.6, 2.28]), [0.0; 2]);
    assert!(out.touched);
    assert!(maze.penetration([1.6, 2.28]) > RADIUS && maze.penetration(out.state.position) < 1e-9);
}

#[test]
fn rewards_resets_and_scores_are_as_published() {
    assert_eq!(Reward::Sparse.of([1.0, 1.5], [1.0, 1.0]), 1.0, "the rim counts");
    assert_eq!(Reward::Sparse.of([1.0, 1.500001], [1.0, 1.0]), 0.0);
    assert!((Reward::Dense.of([4.0, 5.0], [1.0, 1.0]) - (-5f64).exp()).abs() < 1e-15);
    let medium = task("medium").range(Reward::Sparse).unwrap();
    // Two digits are given.
    assert!((medium.score(368.0) - 134.29).abs() < 0.005 && (medium.score(364.0) - 132.77).abs() < 0.005);
    // A goal that is reached with a plan's last row and not before, to two digits.
    for (name, cap) in [("umaze", 107.35), ("medium", 125.21), ("large", 153.13)] {
        let task = task(name);
        let score = task.range(Reward::Sparse).unwrap().score((task.steps - task.horizon) as f64);
        assert!((score - cap).abs() < 0.005, "{name}: {score}");
    }
    let dense = task("umaze").range(Reward::Dense).unwrap();
    assert_eq!((dense.min, dense.max), (68.537689, 193.66285642));
    assert!(task("umaze-eval").range(Reward::Dense).is_none());
    let (maze, mut rng, mut seen) = (maze("umaze"), Rng::new(8), std::collections::BTreeSet::new());
    let states: Vec<State> = (0..2000).map(|_| maze.reset(&mut rng)).collect();
    for state in &states {
        let cell = Layout::rounded(state.position);
        assert!((0..2).all(|k| (state.position[k] - cell[k] as f64).abs() <= 0.1));
        seen.insert(cell);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), maze.layout().free_cells());
    let var = states.iter().map(|s| s.velocity[0].powi(2)).sum::<f64>() / 2000.0;
    // 0.1², within four standard errors, √(2/n) of it.
    assert!((var / 0.01 - 1.0).abs() < 4.0 * (2.0 / 2000.0f64).sqrt(), "{var}");
}

// Policies.

/// Returns of `count` episodes and whether the target was reached in them.
fn policy(name: &str, kind: &str, count: usize) -> (Measure, Measure) {
    let (task, maze) = (task(name), maze(name));
    let target = maze.default_target().unwrap();
    let (mut places, mut pushes) = (Rng::new(1).fork("places"), Rng::new(1).fork("pushes"));
    let mut controller = Controller::new(Rng::new(1).fork("waypoints"));
    let (mut totals, mut reached) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut state = maze.reset(&mut places);
        let mut total = 0.0;
        if kind == "fresh" {
            controller.forget();
        }
        for _ in 0..task.steps {
            let action = if kind == "random" {
                let push = pushes.uniform(2, -1.0, 1.0);
                [push[0], push[1]]
            } else {
                controller.act(maze.layout(), &state, target).action
            };
            state = maze.step(&state, action).state;
            total += Reward::Sparse.of(state.position, target);
        }
        totals.push(total);
        reached.push(f64::from(u8::from(total > 0.0)));
    }
    (Measure::of(&totals).unwrap(), Measure::of(&reached).unwrap())
}

#[test]
fn policies_return_what_was_measured() {
    let known = [
        ("umaze", (28.4, 2.3), (185.0, 5.0), 0.69, (223.0, 4.0)),
        ("medium", (14.2, 2.0), (249.0, 11.0), 0.48, (423.0, 6.0)),
        ("large", (9.0, 1.5), (303.0, 14.0), 0.45, (571.0, 8.0)),
    ];
    known.into_par_iter().for_each(|(name, random, reused, success, fresh)| {
        let (found, _) = policy(name, "random", 1000);
        assert_agree(found, random.0, random.1, &format!("{name}, random"));
        let (found, reached) = policy(name, "reused", 1000);
        assert_agree(found, reused.0, reused.1, &format!("{name}, reused"));
        let success_error = (success * (1.0 - success) / 600f64).sqrt();
        assert_agree(reached, success, success_error, &format!("{name}, reused, success"));
        let (found, reached) = policy(name, "fresh", 400);
        assert_agree(found, fresh.0, fresh.1, &format!("{name}, fresh"));
        assert_eq!(reached.mean, 1.0, "{name}: every goal is reached");
    });
}

/// A controller that keeps its way pushes straight at the goal. In the U that succeeds in the goal's row and
/// the cell below its end; from the next corner the disc meets the inner corner head on, and by symmetry
/// passes on either side half of the time.
#[test]
fn a_reused_controller_succeeds_where_a_straight_push_does() {
    let maze = maze("umaze");
    let mut controller = Controller::new(Rng::new(1));
    let mut push = |mut state: State| {
        for _ in 0..300 {
            let control = controller.act(maze.layout(), &state, [1.0, 1.0]);
            state = maze.step(&state, control.action).state;
        }
        Reward::Sparse.of(state.position, [1.0, 1.0])
    };
    assert_eq!(push(State::at_rest([1.0, 3.0])), 1.0, "the first way, from which the others are pushed on");
    let (mut rng, count) = (Rng::new(2), 400);
    for (cell, share) in [
        ([1, 1], 1.0),
        ([1, 2], 1.0),
        ([1, 3], 1.0),
        ([2, 3], 1.0),
        ([3, 3], 0.5),
        ([3, 2], 0.0),
        ([3, 1], 0.0),
    ] {
        let found = (0..count).map(|_| push(maze.reset_in(cell, &mut rng))).sum::<f64>() / f64::from(count);
        let error = (share * (1.0 - share) / f64::from(count)).sqrt();
        assert!((found - share).abs() <= 4.0 * error, "{cell:?}: {found}");
    }
}

#[test]
fn policies_run_the_episodes_that_plans_run() {
    let (task, maze) = (task("medium"), maze("medium"));
    let settings = Execution { steps: task.steps, ..Default::default() };
    let run = |policy, kind| {
        let list = episodes(&maze, kind, 200, &Rng::new(5)).unwrap();
        let outcomes = follow_policy(&maze, &list, &settings, policy, &Rng::new(6)).unwrap();
        assert!(outcomes.iter().zip(&list).all(|(o, e)| o.states[0] == e.state.observation()));
        assert_eq!(outcomes, follow_policy(&maze, &list, &settings, policy, &Rng::new(6)).unwrap());
        Summary::of(&outcomes, task.range(Reward::Sparse)).unwrap()
    };
    for kind in [GoalKind::Fixed, GoalKind::Random] {
        let fresh = run(Policy::Controller, kind);
        assert_eq!(fresh.success.mean, 1.0, "{kind:?}");
        assert!(run(Policy::Random, kind).total.mean < 0.3 * fresh.total.mean, "{kind:?}");
    }
    let reused = run(Policy::Reused, GoalKind::Fixed).success.mean;
    assert!((0.3..0.7).contains(&reused), "it keeps the way of the first episode: {reused}");
}

// Data.

fn collected(name: &str, variant: Variant) -> Trajectory {
    let settings = OfflineSettings { rows: 60_000, episode: task(name).steps, variant, ..Default::default() };
    Trajectory::generate(&maze(name), &settings, &Rng::new(7)).unwrap()
}

#[test]
fn data_are_one_trajectory_except_where_the_released_ones_repeat() {
    let maze = maze("umaze");
    for variant in [Variant::Fixed, Variant::Faithful] {
        let data = collected("umaze", variant);
        assert_eq!(data, collected("umaze", variant), "exact by seed");
        data.check(maze.layout(), 128).unwrap();
        let follows = |k: usize| {
            let step = maze.step(&State::of(data.observations[k]), data.actions[k]);
            step.state.observation() == data.observations[k + 1]
        };
        let switches: Vec<usize> =
            (0..data.len() - 1).filter(|k| data.targets[*k] != data.targets[k + 1]).collect();
        assert!(switches.len() > 300, "{}", switches.len());
        let repeats = |k: usize| data.observations[k] == data.observations[k + 1];
        let reward = |k: usize| {
            let [x, y, ..] = data.observations[if variant == Variant::Fixed { k + 1 } else { k }];
            Reward::Sparse.of([x, y], data.targets[k])
        };
        match variant {
            Variant::Fixed => assert!((0..data.len() - 1).all(follows)),
            Variant::Faithful => assert!((0..data.len() - 1).filter(|k| repeats(*k)).eq(switches)),
        }
        assert!((0..data.len() - 1).all(|k| data.rewards[k] == reward(k)));
        assert!(data.actions.as_flattened().iter().any(|a| a.abs() == 1.0), "noise is clipped");
    }
}

#[test]
fn data_that_are_of_something_else_are_refused() {
    let layout = task("umaze").layout;
    let good = Trajectory {
        observations: vec![[1.0, 1.0, 0.0, 0.0]; 20],
        actions: vec![[0.0; 2]; 20],
        targets: vec![[1.0, 1.0]; 20],
        rewards: vec![],
    };
    good.check(&layout, 20).unwrap();
    let spoiled = |spoil: &dyn Fn(&mut Trajectory)| {
        let mut data = good.clone();
        spoil(&mut data);
        refusal(data.check(&layout, 16))
    };
    assert!(refusal(good.check(&layout, 21)).contains("at least a horizon, 21 rows, got 20 (collect more"));
    assert!(spoiled(&|d| d.observations[3][2] = f64::NAN).contains("data must be finite"));
    assert!(
        spoiled(&|d| d.targets[3][1] = f64::INFINITY).contains("in row 3 (from 0) (leave such rows out)")
    );
    assert!(spoiled(&|d| d.actions[4][1] = 1.5).contains("actions within ±1, got [0, 1.5] in row 4"));
    assert!(spoiled(&|d| d.observations[5][3] = 50.0).contains("velocities within ±6, got [0, 50] in row 5"));
    assert!(
        spoiled(&|d| d.observations[6][0] = 9.0).contains("within 5 rows and 5 columns, got [9, 1] in row 6")
    );
    let message = spoiled(&|d| d.observations[7][0] = 1.26);
    assert!(
        message.contains("discs at most 0.05 deep in walls, got [1.26, 1], 0.060 deep, in row 7"),
        "{message}"
    );
    good.check(&layout, 1).unwrap();
    assert!(spoiled(&|d| d.actions.truncate(9)).contains("actions: expected 20 rows, got 9 rows"));
    assert!(spoiled(&|d| d.rewards.push(1.0)).contains("rewards: expected 20 rows, got 1 rows"));
    let settings = OfflineSettings { noise: f64::NAN, ..Default::default() };
    let generated = Trajectory::generate(&Maze::new(layout.clone()), &settings, &Rng::new(0));
    assert!(refusal(generated).contains("noise must be a finite number >= 0"));
    let parts = Maze::new(Layout::parse("#####/#O#O#/#####").unwrap());
    let generated = Trajectory::generate(&parts, &OfflineSettings::default(), &Rng::new(0));
    assert!(refusal(generated).contains("layout must be connected"));
}

#[test]
fn paths_end_where_the_disc_leaves_the_target() {
    // Distances from [1, 1], by row.
    let along = [2.0, 0.4, 0.4, 0.6, 0.5, 0.3, 0.7, 0.4, 0.9, 0.9];
    let data = Trajectory {
        observations: along.iter().map(|x| [1.0, 1.0 + x, 0.0, 0.0]).collect(),
        actions: vec![[0.0; 2]; 10],
        targets: (0..10).map(|k| if k < 4 { [1.0, 1.0] } else { [1.0, 1.5] }).collect(),
        rewards: vec![],
    };
    // It leaves after rows 2, 5 and 7; these are left out, and so is the tail.
    assert_eq!(data.paths(Some([1.0, 1.0])), [0..2, 3..5, 6..7]);
    // Its own targets: near in rows 1, 2 and from 4 on.
    assert!(data.paths(None).into_iter().flatten().eq(0..2));
    assert_eq!(windows(&data.paths(Some([1.0, 1.0])), 2).unwrap(), [0, 3]);
    assert_eq!(windows(&data.paths(Some([1.0, 1.0])), 1).unwrap(), [0, 1, 3, 4, 6]);
    let message = refusal(windows(&data.paths(Some([1.0, 1.0])), 3));
    assert!(
        message.contains("horizon must be at most the longest path's 2 rows, and at least 1, got 3"),
        "{message}"
    );
    assert!(windows(&[], 4).is_err() && windows(&[0..3, 5..6], 0).is_err());
    assert!(Trajectory::default().paths(Some([0.0; 2])).is_empty());
}

#[test]
fn legs_end_where_the_target_changes_and_windows_of_them_may_end_early_where_it_is_reached() {
    let targets = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0];
    let along = [0.1, 0.5, 0.8, 0.9, 1.2, 1.4, 1.9, 2.4, 2.8];
    let data = Trajectory {
        observations: along.iter().map(|x| [1.0, *x, 0.0, 0.0]).collect(),
        actions: vec![[0.0; 2]; 9],
        targets: targets.iter().map(|y| [1.0, *y]).collect(),
        rewards: vec![],
    };
    // The target at 2 is given up 0.6 before it.
    let leg = |rows, is_reached| Leg { rows, is_reached };
    let legs = [leg(0..4, true), leg(4..6, false), leg(6..9, true)];
    assert_eq!(data.legs(None), legs);
    assert_eq!(windows_to_targets(&legs, 3).unwrap(), [0..3, 1..4, 2..4, 3..4, 6..9, 7..9, 8..9]);
    assert!(windows_to_targets(&legs[1..2], 2).unwrap().into_iter().flatten().eq(4..6));
    let message = refusal(windows_to_targets(&legs[1..2], 3));
    assert!(
        message.contains("horizon must be at most the 2 rows on the longest way to a target"),
        "{message}"
    );
    assert!(windows_to_targets(&legs, 0).is_err());
    let of_paths: Vec<_> = data.legs(Some([1.0, 1.0])).into_iter().map(|leg| leg.rows).collect();
    assert_eq!(of_paths, data.paths(Some([1.0, 1.0])));
    let collected = collected("umaze", Variant::Fixed);
    let legs = collected.legs(None);
    assert!(legs.iter().map(|leg| leg.rows.len()).sum::<usize>() == collected.len());
    // The controller gives up after 300 steps, which is rare; the data may end anywhere.
    let reached = legs.iter().filter(|leg| leg.is_reached).count();
    assert!(reached as f64 > 0.9 * legs.len() as f64, "{reached} of {}", legs.len());
}

#[test]
fn windows_hold_whole_paths_of_collected_data() {
    let data = collected("umaze", Variant::Fixed);
    for (goal, horizon) in [(Some([1.0, 1.0]), 128), (None, 64)] {
        let paths = data.paths(goal);
        let starts = windows(&paths, horizon).unwrap();
        let wanted: usize = paths.iter().map(|path| (path.len() + 1).saturating_sub(horizon)).sum();
        assert_eq!(starts.len(), wanted);
        let within = |s: &usize| paths.iter().any(|path| path.start <= *s && s + horizon <= path.end);
        assert!(starts.iter().step_by(37).all(within));
        let near = |k: usize| {
            let ([x, y, ..], [gx, gy]) = (data.observations[k], goal.unwrap_or(data.targets[k]));
            (x - gx).hypot(y - gy) < 0.5
        };
        assert!(paths.iter().all(|path| near(path.end) && !near(path.end + 1)));
    }
}

// Plans.

fn normaliser() -> Normaliser {
    Normaliser::new([-1.0, -1.0, 0.4, 0.3, -5.2, -5.1], [1.0, 1.0, 7.2, 10.2, 5.0, 5.2]).unwrap()
}

#[test]
fn plans_are_normalised_and_back() {
    let data = collected("umaze", Variant::Fixed);
    let units = Normaliser::of(&data).unwrap();
    let rows: Vec<Row> = (0..data.len()).map(|k| data.row(k)).collect();
    let normal = units.normalise(&rows);
    for c in 0..COLUMNS {
        let column = || normal.iter().map(|row| row[c]);
        assert_eq!((column().fold(1.0, f64::min), column().fold(-1.0, f64::max)), (-1.0, 1.0));
    }
    let back = units.raw(&normal);
    let apart = |(a, b): (&f64, &f64)| (a - b).abs();
    let worst = rows.as_flattened().iter().zip(back.as_flattened()).map(apart).fold(0.0, f64::max);
    assert!(worst < 1e-14, "rounding of values up to 5: {worst}");
    let edge = units.raw(&[[1.00009, 1.0002, -7.0, 0.0, 0.0, 0.0]])[0];
    assert!((edge[0] - 1.00009).abs() < 1e-12, "a little beyond is left");
    assert_eq!((edge[1], edge[2]), (units.high()[1], units.low()[2]), "more is clipped");
    let still =
        Trajectory { observations: vec![[1.0; 4]; 3], actions: vec![[0.5; 2]; 3], ..Default::default() };
    assert!(refusal(Normaliser::of(&still)).contains("got 0.5 to 0.5 in ax"));
    assert!(Normaliser::of(&Trajectory::default()).is_err());
}

#[test]
fn conditions_are_exact_and_leave_the_rest() {
    let units = normaliser();
    let conditions = units.conditions([1.0, 2.0, 0.0, 0.0], [7.0, 9.0, 0.0, 0.0]);
    let noise = vec![[9.0; COLUMNS]; 16];
    let plan = priors::gaussian(noise.clone(), &conditions);
    let known = Conditions::known(16);
    assert_eq!((known.len(), known.iter().filter(|known| **known).count()), (96, 8));
    for (k, (value, known)) in plan.as_flattened().iter().zip(known).enumerate() {
        assert_eq!(*value != 9.0, known, "{k}");
    }
    assert_eq!((&plan[0][2..], &plan[15][2..]), (&conditions.start[..], &conditions.goal[..]));
    let raw = units.raw(&plan);
    for (row, state) in [(0, [1.0, 2.0, 0.0, 0.0]), (15, [7.0, 9.0, 0.0, 0.0])] {
        assert!((0..4).all(|k| (raw[row][2 + k] - state[k]).abs() < 1e-14));
    }
    let (start, goal) = ([1.0, 2.0], [7.0, 9.0]);
    let plans = [
        priors::line(Variant::Fixed, start, goal, 16, &units).unwrap(),
        priors::line(Variant::Faithful, start, goal, 16, &units).unwrap(),
        priors::polyline(&task("large").layout, start, goal, 16, &units).unwrap(),
    ];
    let exact = |plan: &Vec<Row>| plan[0][2..] == conditions.start && plan[15][2..] == conditions.goal;
    assert!(plans.iter().all(exact));
}

#[test]
fn the_line_keeps_its_velocity_and_the_released_one_never_goes_back() {
    let (units, maze) = (normaliser(), maze("open"));
    let (start, goal, horizon) = ([3.0, 4.0], [1.0, 2.5], 128);
    let plan = units.raw(&priors::line(Variant::Fixed, start, goal, horizon, &units).unwrap());
    for pair in plan[1..horizon - 1].windows(2) {
        let [ax, ay, x, y, vx, vy] = pair[0];
        let step = maze.step(&State::of([x, y, vx, vy]), [ax, ay]).state.observation();
        let apart = (0..4).map(|k| (step[k] - pair[1][2 + k]).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-13, "what the action does to a free disc, to rounding: {apart}");
    }
    assert!((plan[1][4] + 2.0 / (DT * 127.0)).abs() < 1e-12);
    let released = priors::line(Variant::Faithful, start, goal, horizon, &units).unwrap();
    let ends = units.conditions([3.0, 4.0, 0.0, 0.0], [1.0, 2.5, 0.0, 0.0]);
    let d = [ends.goal[0] - ends.start[0], ends.goal[1] - ends.start[1]];
    let largest = d[0].abs().max(d[1].abs());
    for (i, row) in released[1..horizon - 1].iter().enumerate() {
        for k in 0..2 {
            assert!((row[k] - d[k] / largest).abs() < 1e-12);
            assert!((row[2 + k] - ends.start[k] - (i + 1) as f64 * d[k] / 127.0).abs() < 1e-12);
            let velocity = 100.0 * d[k] / 127.0 * row[k];
            assert!((row[4 + k] - velocity).abs() < 1e-12 && row[4 + k] >= 0.0 && plan[1][4 + k] < 0.0);
        }
    }
    let staying = priors::line(Variant::Faithful, start, start, 4, &units).unwrap();
    assert_eq!((staying[1][..2].to_vec(), staying[1][4..].to_vec()), (vec![1.0, 0.0], vec![0.0, 0.0]));
    for horizon in [0, 1, 100_001] {
        let line = priors::line(Variant::Fixed, start, goal, horizon, &units);
        assert!(refusal(line).contains("horizon must be at"), "{horizon}");
    }
}

#[test]
fn the_polyline_stays_free_and_its_columns_belong_together() {
    let mut worst_line: f64 = 0.0;
    for name in MAZES {
        let (task, maze) = (task(name), maze(name));
        let (cells, inertia) = (task.layout.free_cells(), 4.188790204786391 + 0.01);
        for (from, to) in cells.iter().flat_map(|from| cells.iter().map(move |to| (from, to))) {
            let (start, goal): (Point, Point) = (from.map(|k| k as f64), to.map(|k| k as f64));
            let plan = priors::shortest_way(&task.layout, start, goal, task.horizon).unwrap();
            assert_eq!(plan.len(), task.horizon);
            let steps: Vec<f64> =
                plan.windows(2).map(|p| (p[1][2] - p[0][2]).hypot(p[1][3] - p[0][3])).collect();
            let longest = steps.iter().copied().fold(0.0, f64::max);
            let short = steps.iter().filter(|step| **step < longest - 1e-9).count();
            // Constant speed: a step is shorter where it cuts a corner.
            let corners = task.layout.shortest_path(*from, *to).unwrap().len();
            assert!(short <= corners, "{name} {from:?} {to:?}: {short}");
            for (i, pair) in plan.windows(2).enumerate() {
                let deep = maze.penetration([pair[0][2], pair[0][3]]);
                assert!(deep < 1e-9, "{name} {from:?} {to:?}, row {i}: {deep}");
                for k in 0..2 {
                    let (v, next) = (pair[0][4 + k], pair[1][4 + k]);
                    if i > 0 {
                        assert!((pair[0][2 + k] + DT * v - pair[1][2 + k]).abs() < 1e-12);
                    }
                    assert!((v + DT * (100.0 * pair[0][k] - v) / inertia - next).abs() < 1e-12);
                }
            }
            let line = (0..=20).map(|k| f64::from(k) / 20.0);
            let places =
                line.map(|s| [start[0] + s * (goal[0] - start[0]), start[1] + s * (goal[1] - start[1])]);
            worst_line = places.map(|p| maze.penetration(p)).fold(worst_line, f64::max);
        }
    }
    assert!(worst_line > 0.4, "straight lines go through walls: {worst_line}");
    let layout = Layout::parse("#####/#O#O#/#####").unwrap();
    let message = refusal(priors::shortest_way(&layout, [1.0, 1.0], [1.0, 3.0], 8));
    assert!(message.contains("goal must be reachable from [1.0, 1.0], got [1.0, 3.0]"), "{message}");
}

// Execution.

type Prior<'a> = &'a (dyn Fn(&Query) -> Result<Vec<Row>> + Sync);

fn ends(query: &Query) -> (Point, Point) {
    ([query.start[0], query.start[1]], [query.goal[0], query.goal[1]])
}

fn executed(name: &str, kind: GoalKind, count: usize, settings: Execution, prior: Prior) -> Summary {
    let (task, maze) = (task(name), maze(name));
    let list = episodes(&maze, kind, count, &Rng::new(5)).unwrap();
    let settings = Execution { steps: task.steps, ..settings };
    let outcomes =
        execute(&maze, &list, &settings, &mut |queries| queries.iter().map(prior).collect()).unwrap();
    Summary::of(&outcomes, task.range(Reward::Sparse)).unwrap()
}

fn polyline_of(task: &Task) -> impl Fn(&Query) -> Result<Vec<Row>> + Sync {
    move |query| {
        let ((start, goal), units) = (ends(query), normaliser());
        Ok(units.raw(&priors::polyline(&task.layout, start, goal, task.horizon, &units)?))
    }
}

fn line_of(task: &Task, variant: Variant) -> impl Fn(&Query) -> Result<Vec<Row>> + Sync {
    move |query| {
        let ((start, goal), units) = (ends(query), normaliser());
        Ok(units.raw(&priors::line(variant, start, goal, task.horizon, &units)?))
    }
}

#[test]
fn executed_plans_score_what_was_measured() {
    const COUNT: usize = 600;
    // The measured numbers are of 300 episodes.
    let of_300 = |found: &Measure| found.error.unwrap() * (COUNT as f64 / 300.0).sqrt();
    for (name, fixed, random, straight, share) in [
        ("umaze", 125.0, 144.7, 133.0, 0.91),
        ("medium", 137.4, 142.4, 88.0, 0.63),
        ("large", 164.4, 170.0, 80.0, 0.48),
    ] {
        let task = task(name);
        let polyline = polyline_of(&task);
        for (kind, known) in [(GoalKind::Fixed, fixed), (GoalKind::Random, random)] {
            let found = executed(name, kind, COUNT, Execution::default(), &polyline);
            let score = found.score.unwrap();
            assert_agree(score, known, of_300(&score), &format!("{name}, {kind:?}, polyline"));
            assert_eq!(found.success.mean, 1.0, "{name}, {kind:?}");
            assert!(found.contacts.mean < 0.1, "{name}, {kind:?}: {}", found.contacts.mean);
        }
        let line = line_of(&task, Variant::Fixed);
        let found = executed(name, GoalKind::Random, COUNT, Execution::default(), &line);
        let score = found.score.unwrap();
        assert_agree(score, straight, of_300(&score), &format!("{name}, line"));
        assert_agree(found.success, share, of_300(&found.success), &format!("{name}, line, success"));
        assert!(found.contacts.mean > 10.0, "{name}: it pushes at walls");

        // What has to be worse: the slips of the released line, and nobody who plans.
        let released = line_of(&task, Variant::Faithful);
        let found = executed(name, GoalKind::Random, COUNT, Execution::default(), &released);
        assert!(found.score.unwrap().mean < score.mean - 10.0, "{name}: {found:?}");
        let at_random = task.range(Reward::Sparse).unwrap().score(policy(name, "random", 100).0.mean);
        assert!(at_random < score.mean - 40.0, "{name}: {at_random}");
    }
}

#[test]
fn other_ways_to_follow_and_replanning() {
    let medium = task("medium");
    let polyline = polyline_of(&medium);
    let run = |settings| executed("medium", GoalKind::Random, 200, settings, &polyline);
    let next = run(Execution::default());
    let same = run(Execution { follow: Follow::Same, ..Default::default() });
    let later = same.time.unwrap().mean - next.time.unwrap().mean;
    assert!((0.5..1.5).contains(&later), "a row less is about a step later: {later}");
    let actions = run(Execution { follow: Follow::Actions, ..Default::default() });
    assert!(actions.score.unwrap().mean < 0.6 * next.score.unwrap().mean, "{actions:?}");

    let maze = Maze::new(medium.layout.clone());
    let list = episodes(&maze, GoalKind::Random, 50, &Rng::new(5)).unwrap();
    let settings = Execution { steps: 600, replan: 70, ..Default::default() };
    // What is left of the horizon; a plan of all of it would put the arrival off for ever.
    let left = |query: &Query| {
        let (start, goal) = ends(query);
        priors::shortest_way(&medium.layout, start, goal, 256usize.saturating_sub(query.step).max(50))
    };
    let mut asked = Vec::new();
    let outcomes = execute(&maze, &list, &settings, &mut |queries| {
        asked.push(queries.to_vec());
        queries.iter().map(left).collect()
    })
    .unwrap();
    let steps: Vec<usize> = asked.iter().map(|queries| queries[0].step).collect();
    assert_eq!(steps, [0, 70, 140, 210, 280, 350, 420, 490, 560]);
    for (k, (episode, outcome)) in list.iter().zip(&outcomes).enumerate() {
        assert_eq!(asked[0][k].start, State::at_rest(episode.start.map(|x| x as f64)).observation());
        assert_eq!(asked[3][k].start, outcome.states[210]);
        assert_outcome_adds_up(outcome, &maze);
    }
    let summary = Summary::of(&outcomes, None).unwrap();
    assert!(summary.success.mean == 1.0 && summary.score.is_none() && summary.episodes == 50);
}

/// What an outcome says, from its states alone.
fn assert_outcome_adds_up(outcome: &Outcome, maze: &Maze) {
    assert_eq!(outcome.states.len(), 601);
    let place = |state: &[f64; 4]| [state[0], state[1]];
    let near: Vec<f64> =
        outcome.states[1..].iter().map(|s| Reward::Sparse.of(place(s), outcome.goal)).collect();
    assert_eq!(outcome.total, near.iter().sum::<f64>());
    assert_eq!(outcome.reached, near.iter().position(|r| *r > 0.0).map(|t| t + 1));
    let pieces = outcome.states.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]));
    assert!((outcome.length - pieces.sum::<f64>()).abs() < 1e-9);
    assert!(outcome.states.iter().all(|s| maze.penetration(place(s)) < 1e-9));
}

#[test]
fn episodes_are_the_same_for_all_by_seed() {
    let maze = maze("large");
    let list = episodes(&maze, GoalKind::Random, 300, &Rng::new(9)).unwrap();
    assert_eq!(list[..40], episodes(&maze, GoalKind::Random, 40, &Rng::new(9)).unwrap());
    assert_ne!(list[..40], episodes(&maze, GoalKind::Random, 40, &Rng::new(10)).unwrap());
    let fixed = episodes(&maze, GoalKind::Fixed, 300, &Rng::new(9)).unwrap();
    assert!(fixed.iter().all(|e| e.goal == [7, 9] && e.start != [7, 9]));
    assert!(list.iter().all(|e| e.goal != [7, 9] && e.start != [7, 9]));
    assert!(list.iter().any(|e| e.goal == e.start), "they may coincide: 300 draws of 45 cells");
    let apart = |e: &sbridge::planning::Episode| {
        (0..2).all(|k| (e.state.position[k] - e.start[k] as f64).abs() <= 0.1)
    };
    assert!(list.iter().all(apart));
}

#[test]
fn wrong_plans_and_episodes_are_refused() {
    let maze = maze("umaze");
    let list = episodes(&maze, GoalKind::Fixed, 2, &Rng::new(9)).unwrap();
    let row = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
    let run = |plans: Vec<Vec<Row>>| {
        refusal(execute(&maze, &list, &Execution::default(), &mut |_| Ok(plans.clone())))
    };
    assert!(run(vec![vec![row]]).contains("plans: expected 2, got 1 (return one for each query)"));
    assert!(run(vec![vec![row], vec![]]).contains("of one row at least, got none in plan 1"));
    assert!(run(vec![vec![[f64::NAN; 6]], vec![row]]).contains("plans must be finite, got NaN in plan 0"));
    let none = Execution { steps: 0, ..Default::default() };
    assert!(execute(&maze, &list, &none, &mut |_| Ok(vec![])).is_err());
    assert!(
        refusal(episodes(&maze, GoalKind::Fixed, 0, &Rng::new(9))).contains("episodes must be at least 1")
    );
    let of = |text: &str| Maze::new(Layout::parse(text).unwrap());
    let fixed = |text: &str| refusal(episodes(&of(text), GoalKind::Fixed, 3, &Rng::new(9)));
    assert!(fixed("####/#OO#/####").contains("layout must be with a goal, got none (write G in it"));
    assert!(fixed("###/#G#/###").contains("with a free cell beside the goal"));
    assert!(episodes(&of("####/#OO#/####"), GoalKind::Random, 3, &Rng::new(9)).is_ok());
    assert!(Summary::of(&[], None).is_none() && Measure::of(&[]).is_none());
    assert_eq!(Measure::of(&[3.0]).unwrap(), Measure { mean: 3.0, error: None });
    assert_eq!(
        Measure::of(&[1.0, 2.0, 6.0]).unwrap(),
        Measure { mean: 3.0, error: Some((7f64 / 3.0).sqrt()) }
    );
}
