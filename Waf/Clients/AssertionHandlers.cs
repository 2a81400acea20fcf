using System.Globalization;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Clients that sign (private_key_jwt, RFC 7523). OpenIddict checks signature, type, client and audience of an assertion. These handlers
/// accept each assertion once (§3, jti), for a lifetime short enough to remember it, and make every problem with one
/// <c>invalid_client</c> (RFC 7521 §4.2.1).
/// </summary>
internal static class AssertionHandlers
{
    private static readonly TimeSpan ClockDelta = TimeSpan.FromMinutes(1);

    private const int MaxIdLength = 256;
    private const string Unproven = "webrtcims.unproven_assertion";

    /// <summary>Marks the request as one whose assertion is not yet accepted.</summary>
    internal sealed class MarkUnproven : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseSingletonHandler<MarkUnproven>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientAssertion.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (context.Request?.ClientAssertion is not null) context.Transaction.SetProperty(Unproven, context);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>
    /// Has OpenIddict verify the assertion with one key, see <see cref="AssertionKeys"/>. OpenIddict also demands a type of its own.
    /// RFC 7523 has none, and clients send none or <c>JWT</c>.
    /// </summary>
    internal sealed class SetParameters(ClientManager clients, AssertionKeys keys) : IOpenIddictServerHandler<ValidateTokenContext>
    {
        private const string Type = "client-authentication+jwt";

        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ValidateTokenContext>()
            .UseScopedHandler<SetParameters>()
            .SetOrder(OpenIddictServerHandlers.Protection.ResolveTokenValidationParameters.Descriptor.Order + 1)
            .Build();

        public async ValueTask HandleAsync(ValidateTokenContext context)
        {
            if (!context.ValidTokenTypes.Contains(TokenTypeIdentifiers.Private.ClientAssertion)) return;
            var key = UnprovenAssertion.Read(context.Token) is { } assertion
                ? keys.Choose(await clients.FindKeysAsync(assertion.Issuer), assertion.Alg, assertion.Kid)
                : null;
            var parameters = context.TokenValidationParameters!;
            parameters.IssuerSigningKeyResolver = (_, _, _, _) => key is null ? [] : [key];
            var next = parameters.TypeValidator;
            parameters.TypeValidator = (type, token, parameters) =>
                string.IsNullOrEmpty(type) || type.Equals("JWT", StringComparison.OrdinalIgnoreCase) ? Type : next(type, token, parameters);
        }
    }

    internal sealed class AcceptOnce(UsedAssertions used, TimeProvider time) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessAuthenticationContext>()
            .UseSingletonHandler<AcceptOnce>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientAssertionIssuer.Descriptor.Order + 1)
            .Build();

        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (context.ClientAssertionPrincipal is not { } assertion) return;
            var (id, end, now) = (assertion.GetClaim(Claims.JwtId), assertion.GetExpirationDate(), time.GetUtcNow());
            if (id?.Length is not (> 0 and <= MaxIdLength)
                || end is null || end > now + UsedAssertions.MaxLifetime || end <= now - ClockDelta
                || !HasBegun(assertion.GetClaim(Claims.NotBefore), now)
                || !await used.IsFirstAsync(assertion.GetClaim(Claims.Issuer)!, id, end.Value))
            {
                context.Reject(Errors.InvalidClient);
                return;
            }

            context.Transaction.SetProperty<object>(Unproven, null);
        }

        private static bool HasBegun(string? notBefore, DateTimeOffset now) =>
            notBefore is null
            || (long.TryParse(notBefore, CultureInfo.InvariantCulture, out var seconds)
                && seconds <= now.ToUnixTimeSeconds() + ClockDelta.TotalSeconds);
    }

    /// <summary>Reports the failure of an assertion as one of client authentication.</summary>
    internal sealed class RenameError<TContext> : IOpenIddictServerHandler<TContext>
        where TContext : BaseRequestContext
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
            .UseSingletonHandler<RenameError<TContext>>()
            .SetOrder(ClientHandlers.CountFailure<TContext>.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(TContext context)
        {
            if (context.Transaction.Response is { Error: Errors.InvalidRequest or Errors.InvalidGrant or Errors.InvalidToken } response
                && context.Transaction.GetProperty<object>(Unproven) is not null)
            {
                response.Error = Errors.InvalidClient;
            }

            return ValueTask.CompletedTask;
        }
    }
}
