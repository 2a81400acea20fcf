using Microsoft.AspNetCore;
using OpenIddict.Server;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Telemetry;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Revocation;

/// <summary>
/// Token revocation (RFC 7009) for TURN tokens in OpenIddict's pipeline. A revocation has effect at every TURN node at once. Redis carries
/// it, so the endpoint exists where there is Redis.
/// </summary>
internal static class RevocationHandlers
{
    private const string AllTokens = "all_tokens";

    internal sealed class RevokeTokens(
        TokenIssuer issuer, IConnectionMultiplexer redis, AuditLog audit, WafTelemetry telemetry, TimeProvider time)
        : IOpenIddictServerHandler<HandleRevocationRequestContext>
    {
        private static readonly TimeSpan RedisWait = TimeSpan.FromSeconds(2);

        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<HandleRevocationRequestContext>()
            .UseSingletonHandler<RevokeTokens>()
            .SetOrder(OpenIddictServerHandlers.Revocation.RevokeToken.Descriptor.Order)
            .Build();

        public async ValueTask HandleAsync(HandleRevocationRequestContext context)
        {
            try
            {
                if ((string?)context.Request[AllTokens] == "true") await RevokeAllOfAsync(context, context.Request.ClientId!);
                else await RevokeOneAsync(context, context.Request.ClientId!);
            }
            catch (Exception error) when (RedisAvailability.IsFailure(error))
            {
                // RFC 7009 §2.2.1: the client assumes that the token is still valid, and retries.
                new RetryLater(StatusCodes.Status503ServiceUnavailable, RedisWait)
                    .Reject(context, "The TURN servers cannot be notified now. Try again.");
            }
        }

        private async Task RevokeAllOfAsync(HandleRevocationRequestContext context, string clientId)
        {
            await WriteAsync(TurnRevocations.OfClient(clientId), time.GetUtcNow() + TokenLimits.LongestLifetime);
            telemetry.Revoked("client");
            audit.Add(clientId, AuditAction.ClientRevoked, clientId, AddressOf(context));
        }

        private async Task RevokeOneAsync(HandleRevocationRequestContext context, string clientId)
        {
            var text = context.Request.Token;
            if (string.IsNullOrEmpty(text))
            {
                context.Reject(Errors.InvalidRequest, "The parameter 'token' is missing.");
                return;
            }

            if (text.Contains('.', StringComparison.Ordinal))
            {
                context.Reject(Errors.UnsupportedTokenType, "Only TURN tokens can be revoked; registration tokens expire.");
                return;
            }

            // RFC 7009 §2.2: an invalid or expired token is as good as revoked.
            if (issuer.Identify(text) is not { } token || token.ExpiresAt <= time.GetUtcNow()) return;

            // The token does not name its client. Its grant does, as long as Redis has it.
            if (await GrantStore.FindAsync(redis.GetDatabase(), token) is { ClientId: { } owner } && owner != clientId)
            {
                context.Reject(Errors.UnauthorizedClient, "The token was issued to another client.");
                return;
            }

            await WriteAsync(TurnRevocations.OfToken(token.Kid, token.TokenId), token.ExpiresAt);
            telemetry.Revoked("token");
            audit.Add(clientId, AuditAction.TokenRevoked, $"{token.Kid}:{token.TokenId}", AddressOf(context));
        }

        private static string AddressOf(HandleRevocationRequestContext context) =>
            CallerAddress.Of(context.Transaction.GetHttpRequest()!.HttpContext);

        private Task WriteAsync(string name, DateTimeOffset until) =>
            TurnRevocations.WriteAsync(redis.GetDatabase(), name, until, time.GetUtcNow());
    }
}
