//! Which pairs of images go together: every one, once, and where it belongs.

use ntkfast_core::planes::{GROUP, Tiles, groups, tiles};
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_pair_is_in_one_group(left in 0usize..70, right in 0usize..70, same: bool) {
        let right = if same { left } else { right };
        let tiles = Tiles::new([left, right], same).expect("memory");
        let by_tile: Vec<_> = (0..tiles.count()).flat_map(|index| tiles.tile(index).1).collect();
        let by_group: Vec<_> = (0..tiles.groups()).map(|number| tiles.group(number).1).collect();
        prop_assert_eq!(&by_tile, &by_group);
        let mut pairs: Vec<_> = by_group.into_iter().flatten().collect();
        if same {
            pairs.iter_mut().for_each(|pair| pair.sort_unstable());
        }
        pairs.sort_unstable();
        let all = (0..left).flat_map(|i| (0..right).map(move |j| [i, j]));
        let expected: Vec<_> = all.filter(|[i, j]| !same || i < j).collect();
        prop_assert_eq!(pairs, expected);
    }

    #[test]
    fn counts_of_tiles_and_groups_need_no_list(left in 0usize..70, right in 0usize..70, same: bool) {
        let counts = if same { [left, left] } else { [left, right] };
        let all = Tiles::new(counts, same).expect("memory");
        prop_assert_eq!((tiles(counts, same), groups(counts, same)), (all.count(), all.groups()));
    }

    #[test]
    fn groups_fit_into_lanes_and_belong_to_their_tile(left in 0usize..70, right in 0usize..70) {
        let tiles = Tiles::new([left, right], false).expect("memory");
        for number in 0..tiles.groups() {
            let (tile, pairs) = tiles.group(number);
            prop_assert!(!pairs.is_empty() && pairs.len() <= GROUP);
            prop_assert!(pairs.iter().all(|pair| pair.map(|image| image / GROUP) == tile));
        }
    }

    #[test]
    fn lanes_have_all_images_of_the_right_block(left in 1usize..70, right in 1usize..70) {
        let tiles = Tiles::new([left, right], false).expect("memory");
        for number in 0..tiles.groups() {
            let (tile, pairs) = tiles.group(number);
            let size = tiles.size(1, tile[1]);
            let mut seen: Vec<_> = pairs.iter().map(|pair| pair[1] % GROUP).collect();
            let next = seen[seen.len() - 1] + 1;
            seen.extend((0..GROUP - seen.len()).map(|lane| (next + lane) % size));
            prop_assert!((0..size).all(|image| seen.contains(&image)));
        }
    }

    #[test]
    fn sides_do_not_depend_on_other_images(few in 1usize..50, more in 0usize..30) {
        let pairs = |count| -> Vec<_> {
            let tiles = Tiles::new([count; 2], true).expect("memory");
            (0..tiles.groups()).flat_map(|number| tiles.group(number).1).collect()
        };
        let many = pairs(few + more);
        prop_assert!(pairs(few).iter().all(|pair| many.contains(pair)));
    }
}
