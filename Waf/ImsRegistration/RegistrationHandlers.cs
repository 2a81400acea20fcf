using System.Buffers.Text;
using System.Security.Cryptography;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using WebRtcIms.Contracts.RegistrationTokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.ImsRegistration;

/// <summary>
/// The token request with <c>scope=ims.register</c> (interface W4): a WWSF gets a token with which its user's WIC registers with
/// the IMS (TS 33.203 X.3 and X.4). Which identities it may ask for is the client's block; the token says who vouched.
/// </summary>
internal static class RegistrationHandlers
{
    public const string Scope = Contracts.Scopes.ImsRegister;

    private const int MaxPseudonymLength = 128;
    private const int MaxIdentities = 10;

    public static void AddRegistrationHandlers(this OpenIddictServerBuilder server)
    {
        server.RegisterScopes(Scope);
        server.AddEventHandler<ValidateTokenRequestContext>(handler => handler.UseScopedHandler<ValidateRequest>().SetOrder(int.MaxValue - 100_000));
        server.AddEventHandler<GenerateTokenContext>(handler => handler
            .UseScopedHandler<MakeToken>()
            .SetOrder(OpenIddictServerHandlers.Protection.GenerateIdentityModelToken.Descriptor.Order - 500));
        server.AddEventHandler<ProcessSignInContext>(handler => handler
            .UseScopedHandler<AddResponseFields>()
            .SetOrder(OpenIddictServerHandlers.AttachSignInParameters.Descriptor.Order + 500));
    }

    /// <summary>Whether a token request is for us, and not for a TURN token.</summary>
    public static bool IsRegistration(this OpenIddictRequest? request) => request?.GetScopes() is [Scope];

    private static string[] Impus(OpenIddictRequest request) => ((string?)request["impu"] ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Checks the identities, and that this client may ask for them.</summary>
    internal sealed class ValidateRequest(WafSettings settings) : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        public ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            if (!context.Request.IsRegistration()) return ValueTask.CompletedTask;
            var impus = Impus(context.Request);
            var (impi, sid) = ((string?)context.Request["impi"], (string?)context.Request["sid"]);
            var block = settings.Clients.Find(client => client.ClientId == context.ClientId)?.Impus ?? [];

            if (impus.Length is 0 or > MaxIdentities) context.Reject(Errors.InvalidRequest, $"The parameter 'impu' must have 1 to {MaxIdentities} identities, separated by spaces.");
            else if (string.IsNullOrEmpty(impi)) context.Reject(Errors.InvalidRequest, "The parameter 'impi' is missing.");
            else if (sid?.Length is null or 0 or > MaxPseudonymLength)
                context.Reject(Errors.InvalidRequest, $"The parameter 'sid' must have 1 to {MaxPseudonymLength} characters.");
            else if (!impus.Append($"sip:{impi}").All(identity => IdentityBlock.Contains(block, identity)))
                context.Reject(Errors.InvalidScope, "The client may not get tokens for this identity.");
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Puts the registration token in the place of OpenIddict's.</summary>
    internal sealed class MakeToken(RegistrationTokenKey key, WafSettings settings, TimeProvider time, WafTelemetry telemetry) : IOpenIddictServerHandler<GenerateTokenContext>
    {
        public ValueTask HandleAsync(GenerateTokenContext context)
        {
            if (context.TokenType != TokenTypeIdentifiers.AccessToken || context.Request is not { } request || !request.IsRegistration()) return ValueTask.CompletedTask;
            var started = time.GetTimestamp();
            using var activity = WafTelemetry.StartRegistrationTokenIssue(context.ClientId!);
            var registration = settings.ImsRegistration!;
            var now = time.GetUtcNow();
            context.Token = key.Encrypt(new RegistrationToken
            {
                Issuer = registration.Identity,
                Audience = $"sip:{registration.Domain}",
                Impi = (string)request["impi"]!,
                Impus = Impus(request),
                Waf = registration.Identity,
                Wwsf = context.ClientId!,
                IssuedAt = now.ToUnixTimeSeconds(),
                ExpiresAt = (now + registration.Lifetime).ToUnixTimeSeconds(),
                TokenId = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)),
                SessionId = (string)request["sid"]!,
            });
            telemetry.RegistrationTokenIssued(context.ClientId!);
            telemetry.Took("registration", time.GetElapsedTime(started));
            return ValueTask.CompletedTask;
        }
    }

    internal sealed class AddResponseFields(WafSettings settings) : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (!context.Request.IsRegistration()) return ValueTask.CompletedTask;
            context.Response.TokenType = TokenTypes.Bearer;
            context.Response.ExpiresIn = (long)settings.ImsRegistration!.Lifetime.TotalSeconds;
            context.Response.Scope = Scope;
            return ValueTask.CompletedTask;
        }
    }
}
