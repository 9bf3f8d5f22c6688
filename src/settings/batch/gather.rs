//! Where targets come from: words, standard input, the configuration.

use crate::cli::batch::BatchArgs;
use crate::cli::probe::ProbeArgs;
use crate::plan::Plan;
use crate::settings::SettingsError;
use crate::settings::batch::listing::{AfterMistake, Listing};
use crate::settings::batch::methods::Methods;
use crate::settings::batch::{MOST_ALLOWED, lines, words};
use crate::settings::config::Config;

/// The configuration's targets of these groups, as a batch would probe them; all, where there are none.
///
/// # Errors
/// The first mistake found.
pub fn configured(config: &Config, groups: &[String]) -> Result<Vec<Plan>, SettingsError> {
    let methods = Methods::new(config, &ProbeArgs::default())?;
    // A batch has its own limit, which an option lifts.
    let most = usize::try_from(MOST_ALLOWED).unwrap_or(usize::MAX);
    let mut listing = Listing::new(methods, most, AfterMistake::Stop);
    super::configured::add(&mut listing, config, &given_words(groups))?;
    Ok(listing.finish()?.0)
}

fn given_words(words: &[String]) -> Vec<&str> {
    words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .collect()
}

/// The targets in the order in which they were named; the configuration's, where none were.
pub fn gather(
    args: &BatchArgs,
    config: &Config,
    listing: &mut Listing<'_>,
    input: impl FnOnce() -> Result<Vec<u8>, SettingsError>,
) -> Result<(), SettingsError> {
    let (groups, words) = (given_words(&args.group), given_words(&args.targets));
    let mut input = Some(input);
    for word in &words {
        match (*word, input.take()) {
            ("-", Some(input)) => lines::add(listing, &input()?)?,
            ("-", None) => {
                return Err(SettingsError::new(
                    "`-` stands twice: standard input can be read once",
                ));
            }
            (word, kept) => {
                input = kept;
                listing.add(words::word(word, listing.most))?;
            }
        }
    }
    if words.is_empty() && groups.is_empty() && config.targets.is_empty() {
        return Err(SettingsError::new(
            "no targets: name some, write `-` for standard input, or put [[targets]] into the configuration",
        ));
    }
    if words.is_empty() || !groups.is_empty() {
        super::configured::add(listing, config, &groups)
    } else {
        Ok(())
    }
}
