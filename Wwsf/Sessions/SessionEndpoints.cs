using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>Body of <c>POST /api/session/login</c>.</summary>
internal sealed record LoginRequest(string? UserName, string? Password)
{
    public override string ToString() => nameof(LoginRequest);
}

/// <summary>Response of every request to <c>/api/session</c>: the session of the page. Without a session, its members are null.</summary>
/// <param name="User">The user name; null for a guest.</param>
/// <param name="Anonymous">Whether the session belongs to a guest.</param>
/// <param name="Impu">The public user identity in the IMS, if the session has one.</param>
/// <param name="Registered">Whether the session is registered with the IMS.</param>
/// <param name="AntiforgeryToken">For the header <c>X-XSRF-TOKEN</c> of every POST and DELETE until the next such response.</param>
/// <param name="ExternalLogin">The name of the provider behind <c>/api/session/external</c>, if there is one.</param>
/// <param name="PasswordLogin">Whether a password can log in.</param>
/// <param name="Stage">Whether there are demonstrations: only in Development.</param>
internal sealed record SessionAnswer(
    string? User, bool? Anonymous, string? Impu, bool Registered, string? AntiforgeryToken, string? ExternalLogin, bool PasswordLogin,
    bool Stage)
{
    public override string ToString() => nameof(SessionAnswer);
}

/// <summary><c>/api/session</c>: the current session, login (scenario 2), continue as a guest (scenario 3), sign out.</summary>
internal static class SessionEndpoints
{
    // The longest name that Identity stores; no user has a longer one.
    private const int MaxUserNameLength = 256;
    public const int MaxPasswordLength = 1024;
    private const string Way = "password";

    public static void MapLogin(this IEndpointRouteBuilder api) =>
        api.MapPost("session/login", LogInAsync)
            .RequireAntiforgeryToken()
            .RequireRateLimiting(Limits.Logins)
            .WithMetadata(new Counted((telemetry, outcome) => telemetry.CountSession("user", outcome)));

    public static void MapSession(this IEndpointRouteBuilder api)
    {
        var session = api.MapGroup("session").RequireAntiforgeryToken();
        session.MapGet("", AnswerAsync);
        session.MapDelete("", SignOutAsync);
        session.MapPost("anonymous", ContinueAsGuestAsync)
            .RequireRateLimiting(Limits.AnonymousSessions)
            .WithMetadata(new Counted((telemetry, outcome) => telemetry.CountSession("anonymous", outcome)));
    }

    /// <summary>
    /// <c>GET /session</c>: 204 and the pseudonym if the session of the cookie is alive, otherwise 401. For the gateway, which does not
    /// forward this path.
    /// </summary>
    public static void MapLiveSession(this IEndpointRouteBuilder app) => app.MapGet("/session", (HttpContext context) =>
    {
        context.Response.Headers[LiveSession.Name] = WebSession.From(context.User)!.Pseudonym;
        return TypedResults.NoContent();
    }).WithMetadata(new SessionRequired());

    /// <summary>Answers 400 to a POST or DELETE without a valid header <c>X-XSRF-TOKEN</c>.</summary>
    public static TBuilder RequireAntiforgeryToken<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter(async (call, next) =>
        {
            var antiforgery = call.HttpContext.RequestServices.GetRequiredService<IAntiforgery>();
            return await antiforgery.IsRequestValidAsync(call.HttpContext) ? await next(call) : Problem.Antiforgery;
        });

    private static async Task<IResult> LogInAsync(
        LoginRequest login, HttpContext context, PasswordCheck passwords, UserManager<User> users, IAntiforgery antiforgery,
        SessionIdentities identities, AuditLog audit, WwsfSettings settings)
    {
        if (string.IsNullOrWhiteSpace(login.UserName) || string.IsNullOrEmpty(login.Password)) return Problem.InvalidRequest;
        if (login.UserName.Length > MaxUserNameLength || login.Password.Length > MaxPasswordLength) return Problem.LoginFailed;

        var result = await passwords.CheckAsync(context, login.UserName, login.Password);
        var problem = ProblemOf(result);
        var needsPasskey = settings.PasswordLogin == PasswordLogin.UntilPasskey;
        if (problem is null && needsPasskey && (await users.GetPasskeysAsync(result.User!)).Count > 0) problem = Problem.PasskeyRequired;
        if (problem is not null)
        {
            audit.Refused(result.User?.Id, Way, problem.Code, CallerAddress.Of(context));
            return problem;
        }

        await context.BeginSessionAsync(result.User!, Way, needsPasskey);
        return await AnswerAsync(context, antiforgery, identities);
    }

    public static Problem? ProblemOf(PasswordResult result) => result.Outcome switch
    {
        PasswordOutcome.Accepted => null,
        PasswordOutcome.Waiting => Problem.LockedOut(result.RetryAfter),
        PasswordOutcome.Busy => Problem.TooBusy,
        _ => Problem.LoginFailed,
    };

    /// <summary>A guest who asks again keeps the session.</summary>
    private static async Task<Ok<SessionAnswer>> ContinueAsGuestAsync(
        HttpContext context, IAntiforgery antiforgery, SessionIdentities identities)
    {
        if (WebSession.From(context.User) is not { User: null }) await context.BeginGuestSessionAsync();
        return await AnswerAsync(context, antiforgery, identities);
    }

    private static async Task<Ok<SessionAnswer>> SignOutAsync(HttpContext context, IAntiforgery antiforgery, SessionIdentities identities)
    {
        await context.EndSessionAsync();
        return await AnswerAsync(context, antiforgery, identities);
    }

    /// <summary>Describes the session. Call after it has changed, because the antiforgery token is bound to the session.</summary>
    public static async Task<Ok<SessionAnswer>> AnswerAsync(HttpContext context, IAntiforgery antiforgery, SessionIdentities identities)
    {
        var token = antiforgery.GetAndStoreTokens(context).RequestToken;
        var settings = context.RequestServices.GetRequiredService<WwsfSettings>();
        var answer = new SessionAnswer(
            null, null, null, Registered: false, token, settings.OpenIdConnect?.DisplayName, settings.PasswordLogin != PasswordLogin.Never,
            settings.Stage.IsOn);
        if (WebSession.From(context.User) is not { } session) return TypedResults.Ok(answer);

        var (impu, registered) = await identities.FindAsync(session, context.RequestAborted);
        return TypedResults.Ok(answer with
        {
            User = session.User,
            Anonymous = session.User is null,
            Impu = impu,
            Registered = registered,
        });
    }
}
