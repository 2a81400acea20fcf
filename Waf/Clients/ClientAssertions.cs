using System.Globalization;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Clients that sign (private_key_jwt, RFC 7523): OpenIddict checks signature, type, client and audience of an assertion. These steps
/// see to it that each serves once (§3, jti), which only needs remembering because none may last long, and that whatever is wrong with
/// one is <c>invalid_client</c> (RFC 7521 §4.2.1).
/// </summary>
internal static class ClientAssertions
{
    /// <summary>How far ahead the end of an assertion may be.</summary>
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan ClockDelta = TimeSpan.FromMinutes(1);

    private const int MaxIdLength = 256;
    private const string Unproven = "webrtcims.unproven_assertion";

    public static void AddClientAssertions(this OpenIddictServerBuilder server)
    {
        server.AddEventHandler<ProcessAuthenticationContext>(handler => handler
            .UseInlineHandler(Begin)
            .SetOrder(OpenIddictServerHandlers.ValidateClientAssertion.Descriptor.Order - 500));
        server.AddEventHandler<ProcessAuthenticationContext>(handler => handler
            .UseScopedHandler<AcceptOnce>()
            .SetOrder(OpenIddictServerHandlers.ValidateClientAssertionIssuer.Descriptor.Order + 500));
        server.AddEventHandler<ApplyTokenResponseContext>(handler => handler.UseInlineHandler(NameFailure).SetOrder(int.MinValue));
    }

    private static ValueTask Begin(ProcessAuthenticationContext context)
    {
        if (context.Request?.ClientAssertion is not null) context.Transaction.SetProperty(Unproven, context);
        return ValueTask.CompletedTask;
    }

    private static ValueTask NameFailure(ApplyTokenResponseContext context)
    {
        if (context.Error is Errors.InvalidRequest or Errors.InvalidGrant or Errors.InvalidToken
            && context.Transaction.GetProperty<object>(Unproven) is not null)
        {
            context.Response.Error = Errors.InvalidClient;
        }

        return ValueTask.CompletedTask;
    }

    internal sealed class AcceptOnce(UsedAssertions used, TimeProvider clock) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (context.ClientAssertionPrincipal is not { } assertion) return;
            var (id, end, now) = (assertion.GetClaim(Claims.JwtId), assertion.GetExpirationDate(), clock.GetUtcNow());
            if (id?.Length is not (> 0 and <= MaxIdLength) || end is null || end > now + MaxLifetime || end <= now - ClockDelta || !HasBegun(assertion.GetClaim(Claims.NotBefore), now)
                || !await used.IsFirstAsync(assertion.GetClaim(Claims.Issuer)!, id, end.Value))
            {
                context.Reject(Errors.InvalidClient);
                return;
            }

            context.Transaction.SetProperty<object>(Unproven, null);
        }

        private static bool HasBegun(string? notBefore, DateTimeOffset now) =>
            notBefore is null
            || (long.TryParse(notBefore, CultureInfo.InvariantCulture, out var seconds) && seconds <= now.ToUnixTimeSeconds() + ClockDelta.TotalSeconds);
    }
}
