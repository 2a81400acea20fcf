using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace WebRtcIms.Wwsf;

/// <summary>
/// An answer that says why not: RFC 9457 problem details with a sentence that the page can show and a <c>code</c> that it can
/// tell apart. The code is also the outcome that the counters are counted by.
/// </summary>
internal sealed record Problem(int Status, string Code, string Title, string Detail, TimeSpan? RetryAfter = null) : IResult
{
    private static readonly TimeSpan SoonAgain = TimeSpan.FromSeconds(2);

    public static Problem NotSignedIn { get; } = new(401, "not_signed_in",
        "Not signed in", "Log in or continue as a guest first.");

    public static Problem SessionExpired { get; } = new(401, "session_expired",
        "The session has ended", "Your session has ended. Log in or continue as a guest again.");

    /// <summary>One sentence for an unknown user and a wrong password, so that it does not tell who exists.</summary>
    public static Problem LoginFailed { get; } = new(401, "login_failed",
        "That did not work", "User name or password is wrong. Check both and try again.");

    public static Problem Antiforgery { get; } = new(400, "antiforgery",
        "The page is out of date", "The page's security token is missing or no longer valid. Reload the page and try again.");

    public static Problem InvalidRequest { get; } = new(400, "invalid_request",
        "The request is not complete", "The request needs a user name and a password.");

    public static Problem WafRefused { get; } = new(502, "waf_refused",
        "The authorization server refused",
        "The authorization server (WAF) did not give the web service a token. An operator has to check the client registration of the WWSF.");

    /// <summary>Logged in, and no subscription belongs to the user.</summary>
    public static Problem NoSubscription { get; } = new(403, "no_subscription",
        "No phone identity", "Your account has no phone identity, so it cannot call or be called. Ask the operator to give it one.");

    /// <summary>Scenario 3: every identity of the pool is leased or in quarantine.</summary>
    public static Problem NoFreeIdentity(TimeSpan retryAfter) => new(503, "no_free_identity",
        "All guest lines are in use", "All guest lines are in use. Try again in a minute, or log in with an account of your own.", retryAfter);

    /// <summary>As many identities of the pool as one client address may have are leased to it.</summary>
    public static Problem TooManyGuests(TimeSpan retryAfter) => new(429, "too_many_guests",
        "Too many guests from your network", "Your network has as many guests as it may have. Try again in a minute, or log in with an account of your own.", retryAfter);

    public static Problem LeasesUnavailable { get; } = new(503, "leases_unavailable",
        "No guest line right now", "The web service cannot look up which guest lines are free. Try again in a few seconds, or log in.", SoonAgain);

    /// <summary>Too many wrong passwords, whether anybody has the name or not.</summary>
    public static Problem LockedOut(TimeSpan retryAfter) => new(429, "locked_out",
        "Too many wrong passwords", $"After several wrong passwords this name is locked. Try again {InWords(retryAfter)}.", retryAfter);

    public static Problem PasskeyFailed { get; } = new(401, "passkey_failed",
        "That passkey did not work", "Nobody here has this passkey, or it took too long. Try again, or log in with the password.");

    public static Problem PasskeyNotAdded { get; } = new(400, "passkey_not_added",
        "The passkey was not added", "The browser's answer does not fit what was asked, or it took too long. Try again.");

    public static Problem TooManyPasskeys { get; } = new(409, "too_many_passkeys",
        "Enough passkeys", "Your account has as many passkeys as it may have. Log in with one of them.");

    public static Problem PasskeyNeedsUser { get; } = new(403, "passkey_needs_user",
        "Guests have no passkey", "Log in with a user name and password first; then you can add a passkey.");

    /// <summary>Whoever could no longer log in at the provider could still do so with the passkey.</summary>
    public static Problem PasskeyOfProvider { get; } = new(403, "passkey_of_provider",
        "Your passkey belongs elsewhere", "You log in at another service. Add the passkey there; it then counts here, too.");

    public static Problem ExternalUnavailable { get; } = new(503, "external_unavailable",
        "The log-in service does not answer", "The service that you log in at cannot be reached. Try again in a minute, or log in another way.", SoonAgain);

    public static Problem RateLimited(TimeSpan retryAfter) => new(429, "rate_limited",
        "Too many tries", "You have asked very often in a short time. Wait a moment, then try again.", retryAfter);

    public static Problem WafUnavailable(TimeSpan? retryAfter = null) => new(503, "waf_unavailable",
        "The authorization server does not answer",
        "The web service cannot reach the authorization server (WAF), so it has no token for you. Try again in a few seconds.",
        retryAfter ?? SoonAgain);

    /// <summary>What to say about an answer that the framework gave, such as 404 or 500.</summary>
    public static Problem OfStatus(int status) => status switch
    {
        404 => new(status, "not_found", "Not found", "There is nothing at this address."),
        413 => new(status, "request_too_large", "Request too large", "The request is larger than this service accepts (16 KB)."),
        < 500 => new(status, "invalid_request", "The request cannot be read", "The web service does not understand this request. Reload the page and try again."),
        _ => new(status, "internal_error", "Something went wrong", "The web service (WWSF) failed. Try again; if it stays so, tell the operator the trace id."),
    };

    private static string InWords(TimeSpan wait) =>
        wait <= TimeSpan.FromMinutes(1) ? "in a minute" : string.Create(CultureInfo.InvariantCulture, $"in {Math.Ceiling(wait.TotalMinutes)} minutes");

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Features.Set(this);
        httpContext.Features.Get<IHttpActivityFeature>()?.Activity.SetTag("wwsf.problem", Code);
        if (RetryAfter is { } wait)
        {
            var seconds = Math.Max(1, Math.Ceiling(wait.TotalSeconds));
            httpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }
        return TypedResults.Problem(Detail, statusCode: Status, title: Title, extensions: new Dictionary<string, object?> { ["code"] = Code })
            .ExecuteAsync(httpContext);
    }
}
