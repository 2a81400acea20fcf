using Microsoft.AspNetCore.Http.Features;

namespace WebRtcIms.Wwsf.Problems;

/// <summary>
/// An error response: RFC 9457 problem details with a sentence that the page can show and a <c>code</c> that it can compare.
/// The code is also the outcome in the counters.
/// </summary>
internal sealed record Problem(int Status, string Code, string Title, string Detail, TimeSpan? RetryAfter = null) : IResult
{
    private static readonly TimeSpan RetrySoon = TimeSpan.FromSeconds(2);

    public static Problem NotSignedIn { get; } = new(401, ProblemCodes.NotSignedIn,
        "Not signed in", "Log in or continue as a guest first.");

    public static Problem SessionExpired { get; } = new(401, ProblemCodes.SessionExpired,
        "The session has ended", "Your session has ended. Log in or continue as a guest again.");

    /// <summary>The same for an unknown user and for a wrong password, so that it does not reveal which users exist.</summary>
    public static Problem LoginFailed { get; } = new(401, ProblemCodes.LoginFailed,
        "Login failed", "User name or password is wrong. Check both and try again.");

    public static Problem Antiforgery { get; } = new(400, ProblemCodes.Antiforgery,
        "The page is out of date", "The page's security token is missing or no longer valid. Reload the page and try again.");

    public static Problem InvalidRequest { get; } = new(400, ProblemCodes.InvalidRequest,
        "The request is not complete", "The request needs a user name and a password.");

    public static Problem WafRefused { get; } = new(502, ProblemCodes.WafRefused,
        "The authorization server refused",
        "The authorization server (WAF) refused to issue a token. An operator must check the client registration of the WWSF.");

    /// <summary>The user is logged in and has no subscription.</summary>
    public static Problem NoSubscription { get; } = new(403, ProblemCodes.NoSubscription,
        "No phone identity", "Your account has no phone identity, so it cannot make or receive calls. Ask the operator for one.");

    /// <summary>Scenario 3: every identity of the pool is leased or in quarantine.</summary>
    public static Problem NoFreeIdentity(TimeSpan retryAfter) => new(503, ProblemCodes.NoFreeIdentity,
        "All guest lines are in use", "All guest lines are in use. Try again in a minute, or log in with your own account.", retryAfter);

    /// <summary>The client address has as many identities of the pool as one address may have.</summary>
    public static Problem TooManyGuests(TimeSpan retryAfter) => new(429, ProblemCodes.TooManyGuests,
        "Too many guests from your network",
        "Your network has as many guests as it may have. Try again in a minute, or log in with your own account.", retryAfter);

    public static Problem LeasesUnavailable { get; } = new(503, ProblemCodes.LeasesUnavailable,
        "No guest line at the moment",
        "The web service cannot check which guest lines are free. Try again in a few seconds, or log in.", RetrySoon);

    /// <summary>Too many wrong passwords, for existing and for unknown names.</summary>
    public static Problem LockedOut(TimeSpan retryAfter) => new(429, ProblemCodes.LockedOut,
        "Too many wrong passwords", $"After several wrong passwords this name has to wait. Try again {InWords(retryAfter)}.", retryAfter);

    /// <summary>More passwords are to be checked than this machine can check soon.</summary>
    public static Problem TooBusy { get; } = new(503, ProblemCodes.TooBusy,
        "Too many log-ins at the moment", "The web service is busy with other log-ins. Try again in a few seconds.", RetrySoon);

    /// <summary>For changes that decide who can log in.</summary>
    public static Problem LogInAgain { get; } = new(403, ProblemCodes.LogInAgain,
        "Log in again", "You logged in a while ago. Log in again to make this change.");

    public static Problem WrongPassword { get; } = new(403, ProblemCodes.WrongPassword,
        "The password was not changed", "Your current password is wrong. Check it and try again.");

    public static Problem WeakPassword { get; } = new(400, ProblemCodes.WeakPassword,
        "The new password is too weak",
        "Use 12 characters or more. Well-known passwords, names and patterns are refused; several words that do not belong together are good.");

    public static Problem NoPassword { get; } = new(403, ProblemCodes.NoPassword,
        "Your account has no password here", "You log in at another service or as a guest. There is no password to change.");

    /// <summary>The password was right, and the account has a passkey.</summary>
    public static Problem PasskeyRequired { get; } = new(403, ProblemCodes.PasskeyRequired,
        "Log in with your passkey", "Your account has a passkey, so a password is not enough. Log in with the passkey.");

    /// <summary>The user logged in with a password only.</summary>
    public static Problem PasskeyMissing { get; } = new(403, ProblemCodes.PasskeyMissing,
        "Add a passkey first", "A password is not enough to make or receive calls. Add a passkey to your account first.");

    public static Problem PasskeyFailed { get; } = new(401, ProblemCodes.PasskeyFailed,
        "The passkey was not accepted", "No account has this passkey, or the login took too long. Try again, or log in with the password.");

    public static Problem PasskeyNotAdded { get; } = new(400, ProblemCodes.PasskeyNotAdded,
        "The passkey was not added", "The browser's response does not match the request, or it took too long. Try again.");

    public static Problem TooManyPasskeys { get; } = new(409, ProblemCodes.TooManyPasskeys,
        "Too many passkeys", "Your account has as many passkeys as it may have. Log in with one of them.");

    public static Problem PasskeyNeedsUser { get; } = new(403, ProblemCodes.PasskeyNeedsUser,
        "Guests cannot have a passkey", "Log in with a user name and password first. Then you can add a passkey.");

    /// <summary>With a passkey here, a user that the provider no longer admits could still log in.</summary>
    public static Problem PasskeyOfProvider { get; } = new(403, ProblemCodes.PasskeyOfProvider,
        "Add the passkey at your login service", "You log in at another service. Add the passkey there; it then also works here.");

    public static Problem ExternalUnavailable { get; } = new(503, ProblemCodes.ExternalUnavailable,
        "The login service does not answer",
        "The service at which you log in cannot be reached. Try again in a minute, or log in another way.", RetrySoon);

    public static Problem RateLimited(TimeSpan retryAfter) => new(429, ProblemCodes.RateLimited,
        "Too many requests", "You have sent too many requests in a short time. Wait a moment, then try again.", retryAfter);

    public static Problem WafUnavailable(TimeSpan? retryAfter = null) => new(503, ProblemCodes.WafUnavailable,
        "The authorization server does not answer",
        "The web service cannot reach the authorization server (WAF), so it has no token for you. Try again in a few seconds.",
        retryAfter ?? RetrySoon);

    public static Problem TurnUnreachable { get; } = new(503, ProblemCodes.TurnUnreachable,
        "The TURN server does not answer", "The TURN server did not answer the attempt. Try again in a few seconds.", RetrySoon);

    /// <summary>A demonstration would stop a part that is not running.</summary>
    public static Problem PartIsDown { get; } = new(409, ProblemCodes.PartIsDown,
        "The part is down already", "This part is stopped or starting. Wait until it works again.");

    public static Problem StageUnavailable { get; } = new(503, ProblemCodes.StageUnavailable,
        "The demonstration is not available", "The application host or the TURN server does not answer at the moment.", RetrySoon);

    /// <summary>The problem for an error of the framework, such as 404 or 500.</summary>
    public static Problem OfStatus(int status) => status switch
    {
        404 => new(status, ProblemCodes.NotFound, "Not found", "There is nothing at this address."),
        413 => new(status, ProblemCodes.RequestTooLarge,
            "Request too large", "The request is larger than this service accepts (16 KB)."),
        < 500 => new(status, ProblemCodes.InvalidRequest,
            "Invalid request", "The web service does not understand this request. Reload the page and try again."),
        _ => new(status, ProblemCodes.InternalError,
            "Internal error", "The web service (WWSF) failed. Try again. If it fails again, give the operator the trace id."),
    };

    private static string InWords(TimeSpan wait) => wait <= TimeSpan.FromMinutes(1)
        ? "in a minute"
        : string.Create(CultureInfo.InvariantCulture, $"in {Math.Ceiling(wait.TotalMinutes)} minutes");

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Features.Set(this);
        httpContext.Features.Get<IHttpActivityFeature>()?.Activity.SetTag("wwsf.problem", Code);
        if (RetryAfter is { } wait)
        {
            var seconds = Math.Max(1, Math.Ceiling(wait.TotalSeconds));
            httpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }
        var members = new Dictionary<string, object?> { ["code"] = Code };
        return TypedResults.Problem(Detail, statusCode: Status, title: Title, extensions: members).ExecuteAsync(httpContext);
    }
}
