namespace WebRtcIms.Contracts;

/// <summary>
/// The member <c>code</c> of the problem details that the page gets from the WWSF or the gateway, and <c>/?problem=</c> after a login at a
/// provider. The page has a text for each code in each language.
/// </summary>
public static class ProblemCodes
{
    public const string NotSignedIn = "not_signed_in";
    public const string SessionExpired = "session_expired";
    public const string LoginFailed = "login_failed";
    public const string LockedOut = "locked_out";
    public const string TooBusy = "too_busy";
    public const string LogInAgain = "log_in_again";
    public const string WrongPassword = "wrong_password";
    public const string WeakPassword = "weak_password";
    public const string NoPassword = "no_password";
    public const string Antiforgery = "antiforgery";
    public const string InvalidRequest = "invalid_request";
    public const string NotFound = "not_found";
    public const string RequestTooLarge = "request_too_large";
    public const string RateLimited = "rate_limited";
    public const string InternalError = "internal_error";

    public const string WafRefused = "waf_refused";
    public const string WafUnavailable = "waf_unavailable";

    public const string TurnUnreachable = "turn_unreachable";
    public const string PartIsDown = "part_is_down";
    public const string StageUnavailable = "stage_unavailable";

    public const string WwsfUnavailable = "wwsf_unavailable";
    public const string EpCscfUnavailable = "ep_cscf_unavailable";
    public const string FlowViewUnavailable = "flow_view_unavailable";

    public const string NoSubscription = "no_subscription";
    public const string NoFreeIdentity = "no_free_identity";
    public const string TooManyGuests = "too_many_guests";
    public const string LeasesUnavailable = "leases_unavailable";

    public const string PasskeyFailed = "passkey_failed";
    public const string PasskeyNotAdded = "passkey_not_added";
    public const string PasskeyRequired = "passkey_required";
    public const string PasskeyMissing = "passkey_missing";
    public const string PasskeyNeedsUser = "passkey_needs_user";
    public const string PasskeyOfProvider = "passkey_of_provider";
    public const string TooManyPasskeys = "too_many_passkeys";

    public const string ExternalUnavailable = "external_unavailable";
    public const string ExternalFailed = "external_failed";
    public const string ExternalDenied = "external_denied";
    public const string ExternalLocked = "external_locked";
    public const string ExternalNameMissing = "external_name_missing";
    public const string ExternalNameTaken = "external_name_taken";
    public const string ExternalIdentityInvalid = "external_identity_invalid";
    public const string ExternalIdentityTaken = "external_identity_taken";
}
