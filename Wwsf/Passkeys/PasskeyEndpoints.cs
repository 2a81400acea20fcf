using System.Text.Json;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Identity;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Passkeys;

/// <summary>
/// Passkeys (W3C Web Authentication) beside passwords: <c>/api/passkeys</c> adds one to the account that is logged in,
/// <c>/api/session/passkey</c> logs in with one. ASP.NET Core Identity makes and checks what the browser signs; each takes two
/// requests, for the challenge (<c>options</c>) and for the answer. No user name is asked for: the authenticator knows it.
/// </summary>
internal static class PasskeyEndpoints
{
    private const int MaxPasskeys = 20;

    public static void AddPasskeys(this IHostApplicationBuilder builder)
    {
        builder.Services.AddScoped<IPasskeyHandler<User>, PasskeyHandler<User>>();
        builder.Services.AddSingleton<PasskeyState>();
        builder.Services.Configure<IdentityPasskeyOptions>(passkeys =>
        {
            // It is there without a user name, and stands for knowledge or biometry besides possession.
            passkeys.ResidentKeyRequirement = "required";
            passkeys.UserVerificationRequirement = "required";
        });
    }

    public static void MapPasskeys(this WebApplication app)
    {
        var passkeys = app.MapGroup("/api/passkeys").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins).WithMetadata(new SessionRequired());
        passkeys.MapPost("options", AskForNewAsync);
        passkeys.MapPost("", AddAsync);
        var logIn = app.MapGroup("/api/session/passkey").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins);
        logIn.MapPost("options", AskAsync);
        logIn.MapPost("", LogInAsync).WithMetadata(new Counted((metrics, outcome) => metrics.CountSession("passkey", outcome)));
    }

    private static async Task<IResult> AskForNewAsync(HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state)
    {
        if (await UserOfAsync(context, users) is not { } user) return Problem.PasskeyNeedsUser;
        if ((await users.GetLoginsAsync(user)).Count > 0) return Problem.PasskeyOfProvider;
        if ((await users.GetPasskeysAsync(user)).Count >= MaxPasskeys) return Problem.TooManyPasskeys;
        var name = user.UserName!;
        var displayName = Subscription.Of(await users.GetClaimsAsync(user))?.DisplayName;
        var asked = await passkeys.MakeCreationOptionsAsync(
            new PasskeyUserEntity { Id = user.Id, Name = name, DisplayName = string.IsNullOrEmpty(displayName) ? name : displayName }, context);
        state.Keep(context, PasskeyState.Adding, asked.AttestationState!);
        return TypedResults.Text(asked.CreationOptionsJson, "application/json");
    }

    private static async Task<IResult> AddAsync(
        JsonElement credential, HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state)
    {
        if (await UserOfAsync(context, users) is not { } user) return Problem.PasskeyNeedsUser;
        var result = await passkeys.PerformAttestationAsync(new PasskeyAttestationContext
        {
            HttpContext = context,
            CredentialJson = credential.GetRawText(),
            AttestationState = state.Take(context, PasskeyState.Adding),
        });
        // Somebody else may have logged in since the challenge.
        if (!result.Succeeded || result.UserEntity.Id != user.Id) return Problem.PasskeyNotAdded;
        return (await users.AddOrUpdatePasskeyAsync(user, result.Passkey)).Succeeded ? TypedResults.NoContent() : Problem.PasskeyNotAdded;
    }

    private static async Task<IResult> AskAsync(HttpContext context, IPasskeyHandler<User> passkeys, PasskeyState state)
    {
        var asked = await passkeys.MakeRequestOptionsAsync(user: null, context);
        state.Keep(context, PasskeyState.LoggingIn, asked.AssertionState!);
        return TypedResults.Text(asked.RequestOptionsJson, "application/json");
    }

    private static async Task<IResult> LogInAsync(
        JsonElement credential, HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state,
        IAntiforgery antiforgery, ImsIdentities identities)
    {
        var result = await passkeys.PerformAssertionAsync(new PasskeyAssertionContext
        {
            HttpContext = context,
            CredentialJson = credential.GetRawText(),
            AssertionState = state.Take(context, PasskeyState.LoggingIn),
        });
        if (!result.Succeeded) return Problem.PasskeyFailed;
        // Guesses at the password do not lock out whoever has the passkey; an operator's lock without end does.
        if (result.User.LockoutEnd == DateTimeOffset.MaxValue) return Problem.PasskeyFailed;

        // Its counter has moved on.
        await users.AddOrUpdatePasskeyAsync(result.User, result.Passkey);
        await context.BeginSessionAsync(result.User.UserName);
        return await SessionEndpoints.AnswerAsync(context, antiforgery, identities);
    }

    private static async Task<User?> UserOfAsync(HttpContext context, UserManager<User> users) =>
        WebSession.From(context.User)?.User is { } name ? await users.FindByNameAsync(name) : null;
}
