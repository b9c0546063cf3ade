//! Rosters of any size for `--learners N`.

const FAMILY: [(&str, &str); 12] = [
    ("佐藤", "sato"),
    ("鈴木", "suzuki"),
    ("高橋", "takahashi"),
    ("田中", "tanaka"),
    ("Novák", "novak"),
    ("García", "garcia"),
    ("Okafor", "okafor"),
    ("Müller", "mueller"),
    ("伊藤", "ito"),
    ("Nguyễn", "nguyen"),
    ("O'Brien", "obrien"),
    ("渡辺", "watanabe"),
];
const GIVEN: [(&str, &str); 10] = [
    ("花子", "hanako"),
    ("Jana", "jana"),
    ("健", "ken"),
    ("Amara", "amara"),
    ("美咲", "misaki"),
    ("Lucía", "lucia"),
    ("蓮", "ren"),
    ("Felix", "felix"),
    ("Thị Mai", "mai"),
    ("Siobhán", "siobhan"),
];

/// A roster of `count` learners with addresses that are all different. The same count gives the same roster.
pub fn made_up(count: usize) -> String {
    let mut text = String::from("email,givenName,familyName\n");
    for n in 0..count {
        let (family, family_ascii) = FAMILY[n % FAMILY.len()];
        let (given, given_ascii) = GIVEN[n % GIVEN.len()];
        text.push_str(&format!("{given_ascii}.{family_ascii}.{:04}@example.com,{given},{family}\n", n + 1));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_made_up_roster_is_a_good_one() {
        let text = super::made_up(300);
        let learners = shared::roster::read("roster.csv", text.as_bytes()).expect("no complaint");
        assert_eq!(learners.len(), 300);
    }
}
