"""What this router does with each raw request of gunicorn's corpus, by router.md and the RFCs, and why it differs.

Data only. `statuses` are the answers in their order, each with the alternatives that the rules leave open:
``"200 200"`` two requests forwarded and answered, ``"400|501"`` refused with either, ``"-"`` the end never comes:
the client's close ends it without a whole request upstream (a 400 or 408 on the way is fine). 200s come from the
upstream, all others from the router. `why` is given where gunicorn decides otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

VERSION = "27.0.1"


class Outcome(NamedTuple):
    statuses: str
    why: str = ""


OURS_LARGER = "gunicorn's limit is smaller or set by the case's own configuration; ours are 8 KiB, 8 KiB and 100 fields"
TOKEN = "a token is a well-formed method (RFC 9110 9.1), but none we know: 501 (same refusal, other status)"
TRAILERS = "we drop every trailer (F6), so a forbidden one can't reach an upstream either"
TWINS = "underscore twins are dropped (H3), not refused; framing comes from the real field"
NO_CODING = "no transfer coding but chunked (F1): an upstream that also reads it could frame the message differently"
OLD_FOLD = "RFC 9112 5.2: a server must refuse or replace obs-fold; we refuse"
NO_PROXY_LINE = "the PROXY protocol isn't spoken on this listener"

INVALID = {
    "001": Outcome("-"),
    "002": Outcome("400"),
    "003": Outcome("400"),
    "003b": Outcome("400"),
    "003c": Outcome("501", TOKEN),
    "004": Outcome("400|505"),
    "005": Outcome("400"),
    "006": Outcome("200", OURS_LARGER),
    "007": Outcome("431"),
    "008": Outcome("200", OURS_LARGER),
    "009": Outcome("431"),
    "010": Outcome("200", OURS_LARGER),
    "011": Outcome("200", OURS_LARGER),
    "012": Outcome("200", OURS_LARGER),
    "013": Outcome("400"),
    "014": Outcome("400"),
    "015": Outcome("400"),
    "016": Outcome("400"),
    "017": Outcome("200", OURS_LARGER),
    "018": Outcome("400|505"),
    "019": Outcome("200", "X-Forwarded-Proto of an untrusted peer is replaced (H3), so it contradicts nothing"),
    "020": Outcome("400"),
    "021": Outcome("400"),
    "022": Outcome("400"),
    "023": Outcome("400"),
    "024": Outcome("400"),
    "040": Outcome("200", TWINS),
    "041": Outcome("200", "repeated Content-Type is the application's affair; duplicates are kept"),
    "042": Outcome("400"),
    "chunked_01": Outcome("400"),
    "chunked_02": Outcome("400"),
    "chunked_03": Outcome("400|501"),
    "chunked_04": Outcome("400|501"),
    "chunked_05": Outcome("400"),
    "chunked_06": Outcome("400|501"),
    "chunked_07": Outcome("200", TWINS),
    "chunked_08": Outcome("400|501"),
    "chunked_09": Outcome("400"),
    "chunked_10": Outcome("400"),
    "chunked_11": Outcome("400"),
    "chunked_12": Outcome("400"),
    "chunked_13": Outcome("400"),
    "chunked_14": Outcome("400"),
    "invalid_field_value_01": Outcome("400"),
    "limit_header_default_01": Outcome("200", OURS_LARGER),
    "nonascii_01": Outcome("400"),
    "nonascii_02": Outcome("400"),
    "nonascii_03": Outcome("400"),
    "nonascii_04": Outcome("400"),
    "obs_fold_01": Outcome("400"),
    "pp_01": Outcome("400|501"),
    "pp_02": Outcome("400|501"),
    "pp_03": Outcome("400|501"),
    "prefix_01": Outcome("400"),
    "prefix_02": Outcome("400"),
    "prefix_03": Outcome("400"),
    "prefix_04": Outcome("400"),
    "prefix_05": Outcome("400"),
    "prefix_06": Outcome("400|505"),
    "rfc9110_field_value_ctl_bel_01": Outcome("400"),
    "rfc9110_field_value_ctl_del_01": Outcome("400"),
    "rfc9110_trailer_forbidden_cl_01": Outcome("200", TRAILERS),
    "rfc9110_trailer_forbidden_host_01": Outcome("200", TRAILERS),
    "rfc9110_trailer_forbidden_te_01": Outcome("200", TRAILERS),
    "rfc9112_bare_lf_01": Outcome("400"),
    "rfc9112_chunked_missing_final_crlf_01": Outcome("-"),
    "rfc9112_chunked_size_minus_sign_01": Outcome("400"),
    "rfc9112_chunked_size_plus_sign_01": Outcome("400"),
    "rfc9112_leading_crlf_02": Outcome("200", "RFC 9112 2.2: at least one empty line is to be ignored; we ignore two"),
    "rfc9112_smuggle_cl_list_form_01": Outcome("400"),
    "rfc9112_smuggle_cl_te_chunked_01": Outcome("400"),
    "rfc9112_target_asterisk_non_options_01": Outcome("400"),
    "rfc9112_target_authority_non_connect_01": Outcome("400"),
    "rfc9112_target_non_ascii_01": Outcome("400"),
    "rfc9112_target_non_ascii_02": Outcome("400"),
    "rfc9112_target_nul_01": Outcome("400"),
    "rfc9112_target_relative_01": Outcome("400"),
    "rfc9112_te_identity_with_cl_01": Outcome("400"),
    "rfc9112_te_not_chunked_final_01": Outcome("501"),
    "version_01": Outcome("400|505"),
    "version_02": Outcome("505"),
}

VALID = {
    "001": Outcome("200"),
    "002": Outcome("200"),
    "003": Outcome("200"),
    "004": Outcome("200"),
    "005": Outcome("400", "a target has no fragment (RFC 9112 3.2, H1)"),
    "006": Outcome("200"),
    "007": Outcome("200"),
    "008": Outcome("200"),
    "010": Outcome("200"),
    "011": Outcome("200"),
    "012": Outcome("200"),
    "013": Outcome("200"),
    "014": Outcome("200|400"),
    "015": Outcome("200"),
    "017": Outcome("200"),
    "018": Outcome("200 200"),
    "019": Outcome("200", "1.0 without keep-alive ends the connection (RFC 9112 9.3); what follows isn't read"),
    "020": Outcome("200"),
    "021": Outcome("200"),
    "022": Outcome("200 200"),
    "023": Outcome("200 200"),
    "024": Outcome("431", "a field of 8,204 bytes; our limit is 8 KiB"),
    "025": Outcome("400|501", NO_CODING),
    "025_line": Outcome("400|501", NO_CODING),
    "026": Outcome("431", "a field of 8,204 bytes; our limit is 8 KiB"),
    "028": Outcome("400", "space before the colon (RFC 9112 5.1: must be refused); the case asks gunicorn to be lax"),
    "029": Outcome("400|501", NO_CODING),
    "030": Outcome("400|501", NO_CODING),
    "031": Outcome("501", TOKEN),
    "031compat": Outcome("501", TOKEN),
    "031compat2": Outcome("501", TOKEN),
    "040": Outcome("200"),
    "040_compat": Outcome("200"),
    "099": Outcome("-", "half of the announced body is missing from the file; gunicorn's test reads what there is"),
    "100": Outcome("200"),
    "compat_obs_fold": Outcome("400", OLD_FOLD),
    "compat_obs_fold_huge": Outcome("400", OLD_FOLD),
    "padding_01": Outcome("200"),
    "pp_01": Outcome("400|501", NO_PROXY_LINE),
    "pp_02": Outcome("400|501", NO_PROXY_LINE),
    "pp_03": Outcome("200"),
    "pp_04": Outcome("400", NO_PROXY_LINE),
    "pp_05": Outcome("400", NO_PROXY_LINE),
    "rfc9110_body_framing_get_cl_nonzero_01": Outcome("200"),
    "rfc9110_body_framing_get_cl_zero_01": Outcome("200"),
    "rfc9110_body_framing_http10_cl_01": Outcome("200"),
    "rfc9110_field_name_special_chars_01": Outcome("200"),
    "rfc9110_field_value_htab_trim_01": Outcome("200"),
    "rfc9110_field_value_obs_text_01": Outcome("200"),
    "rfc9112_chunked_ext_quoted_01": Outcome("200"),
    "rfc9112_chunked_size_leading_zeros_01": Outcome("200"),
    "rfc9112_chunked_size_uppercase_hex_01": Outcome("200"),
    "rfc9112_leading_crlf_01": Outcome("200"),
    "rfc9112_smuggle_gzip_chunked_01": Outcome("400|501", NO_CODING),
    "rfc9112_smuggle_te_identity_chunked_01": Outcome("400|501", NO_CODING),
    "rfc9112_target_absolute_01": Outcome("200"),
    "rfc9112_target_absolute_https_01": Outcome("200|400"),
    "rfc9112_target_absolute_ipv6_01": Outcome("200"),
    "rfc9112_target_absolute_userinfo_01": Outcome("400", "RFC 9110 4.2.4: userinfo in a target is an error"),
    "rfc9112_target_asterisk_options_01": Outcome("200"),
    "rfc9112_target_authority_connect_01": Outcome("405", "this is a gateway, not a tunnel (H1)"),
    "rfc9112_target_authority_ipv6_01": Outcome("405", "this is a gateway, not a tunnel (H1)"),
}

TABLE = {f"invalid/{name}": outcome for name, outcome in INVALID.items()} | {
    f"valid/{name}": outcome for name, outcome in VALID.items()
}
