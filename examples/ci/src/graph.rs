//! The order that `needs` puts jobs in.

/// Finds a cycle, as the nodes along it.
pub fn cycle(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    (0..needs.len()).find_map(|start| {
        let mut path = Vec::new();
        visit(start, needs, &mut done, &mut path)
    })
}

fn visit(
    node: usize,
    needs: &[Vec<usize>],
    done: &mut [bool],
    path: &mut Vec<usize>,
) -> Option<Vec<usize>> {
    if let Some(start) = path.iter().position(|&known| known == node) {
        return Some(path[start..].to_vec());
    }
    if done[node] {
        return None;
    }
    path.push(node);
    let found = needs[node].iter().find_map(|&next| visit(next, needs, done, path));
    path.pop();
    done[node] = true;
    found
}

#[cfg(test)]
mod tests {
    use super::cycle;

    #[test]
    fn finds_only_cycles() {
        assert_eq!(cycle(&[]), None);
        assert_eq!(cycle(&[vec![], vec![0], vec![0], vec![1, 2]]), None);
        assert_eq!(cycle(&[vec![0]]), Some(vec![0]));
        assert_eq!(cycle(&[vec![], vec![0, 3], vec![1], vec![2]]), Some(vec![1, 3, 2]));
    }
}
