using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Session;

/// <summary>Body of <c>POST /api/session/login</c>.</summary>
internal sealed record LoginRequest(string? UserName, string? Password)
{
    public override string ToString() => nameof(LoginRequest);
}

/// <summary>
/// Who the page is: answer of every request to <c>/api/session</c>. Nulls where nobody is there; <paramref name="User"/> is
/// null for a guest, too. <paramref name="AntiforgeryToken"/> goes into the header <c>X-XSRF-TOKEN</c> of every POST and DELETE
/// until the next such answer. <paramref name="Impu"/> is the public user identity in the IMS, once there is one.
/// <paramref name="ExternalLogin"/> is the name of the provider behind <c>/api/session/external</c>, where there is one.
/// </summary>
internal sealed record SessionAnswer(string? User, bool? Anonymous, string? Impu, bool Registered, string? AntiforgeryToken, string? ExternalLogin)
{
    public override string ToString() => nameof(SessionAnswer);
}

/// <summary><c>/api/session</c>: who the page is, log in (scenario 2), continue as a guest (scenario 3), sign out.</summary>
internal static class SessionEndpoints
{
    // The longest that Identity stores; a longer one belongs to nobody and is not worth a look.
    private const int MaxUserNameLength = 256;
    private const int MaxPasswordLength = 1024;

    public static void MapLogin(this IEndpointRouteBuilder api) =>
        api.MapPost("session/login", LogInAsync)
            .RequireAntiforgeryToken()
            .RequireRateLimiting(Limits.Logins)
            .WithMetadata(new Counted((metrics, outcome) => metrics.CountSession("user", outcome)));

    public static void MapSession(this IEndpointRouteBuilder api)
    {
        var session = api.MapGroup("session").RequireAntiforgeryToken();
        session.MapGet("", AnswerAsync);
        session.MapDelete("", SignOutAsync);
        session.MapPost("anonymous", ContinueAsGuestAsync)
            .RequireRateLimiting(Limits.AnonymousSessions)
            .WithMetadata(new Counted((metrics, outcome) => metrics.CountSession("anonymous", outcome)));
    }

    /// <summary>Answers 400 to a POST or DELETE without a valid header <c>X-XSRF-TOKEN</c>.</summary>
    public static TBuilder RequireAntiforgeryToken<TBuilder>(this TBuilder endpoints)
        where TBuilder : IEndpointConventionBuilder =>
        endpoints.AddEndpointFilter(async (call, next) =>
        {
            var antiforgery = call.HttpContext.RequestServices.GetRequiredService<IAntiforgery>();
            return await antiforgery.IsRequestValidAsync(call.HttpContext) ? await next(call) : Problem.Antiforgery;
        });

    private static async Task<IResult> LogInAsync(
        LoginRequest login, HttpContext context, PasswordCheck passwords, IAntiforgery antiforgery, ImsIdentities identities)
    {
        if (string.IsNullOrWhiteSpace(login.UserName) || string.IsNullOrEmpty(login.Password)) return Problem.InvalidRequest;
        if (login.UserName.Length > MaxUserNameLength || login.Password.Length > MaxPasswordLength) return Problem.LoginFailed;

        var result = await passwords.CheckAsync(login.UserName, login.Password);
        if (result.LockedFor is { } wait) return Problem.LockedOut(wait);
        if (result.User is not { } user) return Problem.LoginFailed;

        await context.BeginSessionAsync(user.UserName);
        return await AnswerAsync(context, antiforgery, identities);
    }

    /// <summary>A guest who asks again stays the guest that he is.</summary>
    private static async Task<Ok<SessionAnswer>> ContinueAsGuestAsync(HttpContext context, IAntiforgery antiforgery, ImsIdentities identities)
    {
        if (WebSession.From(context.User) is not { User: null }) await context.BeginSessionAsync(user: null);
        return await AnswerAsync(context, antiforgery, identities);
    }

    private static async Task<Ok<SessionAnswer>> SignOutAsync(HttpContext context, IAntiforgery antiforgery, ImsIdentities identities)
    {
        await context.EndSessionAsync();
        return await AnswerAsync(context, antiforgery, identities);
    }

    // The antiforgery token is bound to the session, so it is made after the session has changed.
    public static async Task<Ok<SessionAnswer>> AnswerAsync(HttpContext context, IAntiforgery antiforgery, ImsIdentities identities)
    {
        var token = antiforgery.GetAndStoreTokens(context).RequestToken;
        var external = context.RequestServices.GetRequiredService<WwsfSettings>().OpenIdConnect?.DisplayName;
        if (WebSession.From(context.User) is not { } session) return TypedResults.Ok(new SessionAnswer(null, null, null, Registered: false, token, external));

        var (impu, registered) = await identities.FindAsync(session, context.RequestAborted);
        return TypedResults.Ok(new SessionAnswer(session.User, session.User is null, impu, registered, token, external));
    }
}
