using Microsoft.AspNetCore.Antiforgery;
using Microsoft.Extensions.Options;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Passkeys;

/// <summary>Response of <c>GET /api/passkeys</c>.</summary>
internal sealed record PasskeysAnswer(IReadOnlyList<OwnPasskey> Passkeys);

/// <summary>A passkey in the response of <c>GET /api/passkeys</c>.</summary>
/// <param name="Id">Names the passkey in <c>DELETE /api/passkeys/{id}</c>.</param>
/// <param name="CreatedAt">When it was added.</param>
internal sealed record OwnPasskey(string Id, DateTimeOffset CreatedAt);

/// <summary>
/// Passkeys (W3C Web Authentication): <c>/api/passkeys</c> lists those of the account of the session, adds and removes one soon after a
/// log-in. <c>/api/session/passkey</c> logs in with one. Adding and logging in each take two requests: <c>options</c> for the challenge,
/// then the response of the browser. ASP.NET Core Identity creates the challenge and verifies the response. A login needs no user name,
/// because the authenticator stores it.
/// </summary>
internal static class PasskeyEndpoints
{
    private const int MaxPasskeys = 20;
    private const string Way = "passkey";

    public static void AddPasskeys(this IHostApplicationBuilder builder)
    {
        builder.Services.AddHttpContextAccessor();
        builder.Services.AddScoped<IPasskeyHandler<User>>(services => new PasskeyHandler<User>(
            services.GetRequiredService<UserManager<User>>(),
            Options.Create(OptionsFor(
                services.GetRequiredService<WwsfSettings>().Origins,
                services.GetRequiredService<IHttpContextAccessor>().HttpContext!.Request))));
        builder.Services.AddScoped<PasskeyState>();
    }

    private static IdentityPasskeyOptions OptionsFor(PublicOrigins origins, HttpRequest request) => new()
    {
        // Discoverable without a user name, and two factors: possession, and knowledge or biometrics.
        ResidentKeyRequirement = "required",
        UserVerificationRequirement = "required",
        ServerDomain = origins.RelyingPartyOf(request),
        // WebAuthn §7.1 steps 9 to 11, §7.2 steps 12 to 14. The page sends the response from the origin that it names, and not in a frame.
        ValidateOrigin = answer => ValueTask.FromResult(
            !answer.CrossOrigin && string.IsNullOrEmpty(answer.TopOrigin)
            && answer.Origin == request.Headers.Origin && origins.Contains(answer.Origin)),
    };

    public static void MapPasskeys(this WebApplication app)
    {
        var passkeys = app.MapGroup("/api/passkeys").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins)
            .RequireRecentLogIn().WithMetadata(new SessionRequired());
        passkeys.MapGet("", ListAsync);
        passkeys.MapPost("options", CreateOptionsAsync);
        passkeys.MapPost("", AddAsync);
        // An id is a pseudonym, so "options" is not one.
        passkeys.MapDelete("{id:minlength(16)}", RemoveAsync);
        var logIn = app.MapGroup("/api/session/passkey").RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins);
        logIn.MapPost("options", RequestOptionsAsync);
        logIn.MapPost("", LogInAsync).WithMetadata(new Counted((telemetry, outcome) => telemetry.CountSession(Way, outcome)));
    }

    private static async Task<IResult> ListAsync(HttpContext context, UserManager<User> users)
    {
        var passkeys = await UserOfAsync(context, users) is { } user ? await users.GetPasskeysAsync(user) : [];
        return TypedResults.Ok(new PasskeysAnswer([.. passkeys.Select(passkey => new OwnPasskey(IdOf(passkey), passkey.CreatedAt))]));
    }

    private static async Task<IResult> RemoveAsync(string id, HttpContext context, UserManager<User> users, AuditLog audit)
    {
        if (await UserOfAsync(context, users) is not { } user) return Problem.PasskeyNeedsUser;
        if ((await users.GetPasskeysAsync(user)).FirstOrDefault(passkey => IdOf(passkey) == id) is not { } passkey)
            return TypedResults.NoContent();
        if (!(await users.RemovePasskeyAsync(user, passkey.CredentialId)).Succeeded) return Problem.TooBusy;
        audit.PasskeyRemoved(user.Id, CallerAddress.Of(context));
        return TypedResults.NoContent();
    }

    private static async Task<IResult> CreateOptionsAsync(
        HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state)
    {
        if (await UserOfAsync(context, users) is not { } user) return Problem.PasskeyNeedsUser;
        if ((await users.GetLoginsAsync(user)).Count > 0) return Problem.PasskeyOfProvider;
        if ((await users.GetPasskeysAsync(user)).Count >= MaxPasskeys) return Problem.TooManyPasskeys;
        var name = user.UserName!;
        var displayName = Subscription.Of(await users.GetClaimsAsync(user))?.DisplayName;
        if (string.IsNullOrEmpty(displayName)) displayName = name;
        var options = await passkeys.MakeCreationOptionsAsync(
            new PasskeyUserEntity { Id = user.Id, Name = name, DisplayName = displayName }, context);
        state.Keep(context, PasskeyState.Adding, options.AttestationState!);
        return TypedResults.Text(options.CreationOptionsJson, "application/json");
    }

    private static async Task<IResult> AddAsync(
        JsonElement? credential, HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state,
        AuditLog audit)
    {
        if (await UserOfAsync(context, users) is not { } user) return Problem.PasskeyNeedsUser;
        var challenge = state.Remove(context, PasskeyState.Adding);
        if (credential is not { ValueKind: JsonValueKind.Object } given) return Problem.PasskeyNotAdded;
        var result = await passkeys.PerformAttestationAsync(new PasskeyAttestationContext
        {
            HttpContext = context,
            CredentialJson = given.GetRawText(),
            AttestationState = challenge,
        });
        // Another user may have logged in since the challenge.
        if (!result.Succeeded || result.UserEntity.Id != user.Id) return Problem.PasskeyNotAdded;
        if (!await state.TryUseAsync(challenge!)) return Problem.PasskeyNotAdded;
        if (!(await users.AddOrUpdatePasskeyAsync(user, result.Passkey)).Succeeded) return Problem.PasskeyNotAdded;
        audit.PasskeyAdded(user.Id, CallerAddress.Of(context));
        // Other sessions that began with the password get no rights by this. This one has proved both factors.
        if (WebSession.From(context.User) is { NeedsPasskey: true }) await context.BeginSessionAsync(user, Way);
        return TypedResults.NoContent();
    }

    private static async Task<IResult> RequestOptionsAsync(HttpContext context, IPasskeyHandler<User> passkeys, PasskeyState state)
    {
        var options = await passkeys.MakeRequestOptionsAsync(user: null, context);
        state.Keep(context, PasskeyState.LoggingIn, options.AssertionState!);
        return TypedResults.Text(options.RequestOptionsJson, "application/json");
    }

    private static async Task<IResult> LogInAsync(
        JsonElement? credential, HttpContext context, IPasskeyHandler<User> passkeys, UserManager<User> users, PasskeyState state,
        IAntiforgery antiforgery, SessionIdentities identities, AuditLog audit, TimeProvider time)
    {
        var challenge = state.Remove(context, PasskeyState.LoggingIn);
        // The framework fails for an empty body unless the value may be null.
        if (credential is not { ValueKind: JsonValueKind.Object } given) return Refuse(context, audit, user: null);
        var result = await passkeys.PerformAssertionAsync(new PasskeyAssertionContext
        {
            HttpContext = context,
            CredentialJson = given.GetRawText(),
            AssertionState = challenge,
        });
        if (!result.Succeeded) return Refuse(context, audit, user: null);
        if (result.User.IsLocked(time.GetUtcNow()) || !await state.TryUseAsync(challenge!)) return Refuse(context, audit, result.User);

        // Store the new signature counter.
        await users.AddOrUpdatePasskeyAsync(result.User, result.Passkey);
        await context.BeginSessionAsync(result.User, Way);
        return await SessionEndpoints.AnswerAsync(context, antiforgery, identities);
    }

    private static Problem Refuse(HttpContext context, AuditLog audit, User? user)
    {
        audit.Refused(user?.Id, Way, ProblemCodes.PasskeyFailed, CallerAddress.Of(context));
        return Problem.PasskeyFailed;
    }

    // The paths of the API are lower-case words.
    private static string IdOf(UserPasskeyInfo passkey) => Pseudonym.Of(Convert.ToHexString(passkey.CredentialId));

    private static async Task<User?> UserOfAsync(HttpContext context, UserManager<User> users) =>
        WebSession.From(context.User)?.User is { } name ? await users.FindByNameAsync(name) : null;
}
