using OpenIddict.Abstractions;
using OpenIddict.Server;
using StackExchange.Redis;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Introspection;

/// <summary>
/// Token introspection (RFC 7662) of both kinds of tokens. A client may only ask about its own tokens: every other token is "not active",
/// as an expired one is (§2.2), so that the response shows nothing about it. The endpoint exists where there is Redis: the token itself
/// does not say which client it is for, nor that it is revoked.
/// </summary>
internal static class IntrospectionHandlers
{
    /// <summary>Describes a TURN token that is alive.</summary>
    internal sealed class DescribeToken(
        TokenIssuer issuer, RevocationLookup revocations, IConnectionMultiplexer redis, TimeProvider time)
        : IOpenIddictServerHandler<HandleIntrospectionRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<HandleIntrospectionRequestContext>()
            .UseSingletonHandler<DescribeToken>()
            .SetOrder(OpenIddictServerHandlers.Introspection.AttachPrincipal.Descriptor.Order)
            .Build();

        public async ValueTask HandleAsync(HandleIntrospectionRequestContext context)
        {
            if (IsRegistrationToken(context.Request)) return;
            try
            {
                await DescribeAsync(context, context.Request.ClientId!);
            }
            catch (Exception error) when (RedisAvailability.IsFailure(error))
            {
                RejectForNow(context);
            }
        }

        private async Task DescribeAsync(HandleIntrospectionRequestContext context, string clientId)
        {
            // The token does not name its client. Its grant does, as long as Redis has it.
            if (issuer.Identify(context.Request.Token!) is not { } token || token.ExpiresAt <= time.GetUtcNow()
                || await GrantStore.FindAsync(redis.GetDatabase(), token) is not { } grant || grant.ClientId != clientId
                || await revocations.CoverAsync(token.Kid, token.TokenId, clientId, grant.Pseudonym, token.IssuedAt))
            {
                context.Reject(Errors.InvalidToken);
                return;
            }

            context.ClientId = clientId;
            context.Subject = clientId;
            context.TokenType = "pop";
            context.TokenId = token.TokenId;
            context.Scopes.Add(Contracts.Scopes.Stun);
            context.Audiences.Add(token.Audience);
            context.IssuedAt = token.IssuedAt;
            context.ExpiresAt = token.ExpiresAt;
            context.Claims["kid"] = token.Kid;
        }
    }

    /// <summary>Describes a registration token that is alive.</summary>
    internal sealed class DescribeRegistrationToken(RegistrationTokenValidator validator, RevocationLookup revocations)
        : IOpenIddictServerHandler<HandleIntrospectionRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<HandleIntrospectionRequestContext>()
            .UseSingletonHandler<DescribeRegistrationToken>()
            .SetOrder(DescribeToken.Descriptor.Order + 1)
            .Build();

        public async ValueTask HandleAsync(HandleIntrospectionRequestContext context)
        {
            if (!IsRegistrationToken(context.Request)) return;
            try
            {
                await DescribeAsync(context, context.Request.ClientId!);
            }
            catch (Exception error) when (RedisAvailability.IsFailure(error))
            {
                RejectForNow(context);
            }
        }

        private async Task DescribeAsync(HandleIntrospectionRequestContext context, string clientId)
        {
            _ = validator.Validate(context.Request.Token!, out var token);
            var issuedAt = DateTimeOffset.FromUnixTimeSeconds(token?.IssuedAt ?? 0);
            if (token is null || (token.ClientId ?? token.Wwsf) != clientId
                || await revocations.CoverRegistrationAsync(token.Kid, token.TokenId, clientId, token.SessionId, issuedAt))
            {
                context.Reject(Errors.InvalidToken);
                return;
            }

            context.ClientId = clientId;
            context.Subject = token.Impi;
            context.TokenType = TokenTypes.Bearer;
            context.TokenId = token.TokenId;
            context.Scopes.Add(Contracts.Scopes.ImsRegister);
            context.Audiences.Add(token.Audience);
            context.IssuedAt = issuedAt;
            context.ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(token.ExpiresAt);
            context.Claims["impu"] = new OpenIddictParameter([.. token.Impus.Select(impu => (string?)impu)]);
        }
    }

    /// <summary>Reports each unknown token as not active, also when this server issues no registration tokens.</summary>
    internal sealed class RejectOther : IOpenIddictServerHandler<HandleIntrospectionRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<HandleIntrospectionRequestContext>()
            .UseSingletonHandler<RejectOther>()
            .SetOrder(DescribeRegistrationToken.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(HandleIntrospectionRequestContext context)
        {
            if (!context.IsRejected && context.TokenId is null) context.Reject(Errors.InvalidToken);
            return ValueTask.CompletedTask;
        }
    }

    // Without Redis the WAF does not know whether the token is revoked. RFC 7662 §2.2: it must not be reported as active.
    private static void RejectForNow(HandleIntrospectionRequestContext context) =>
        new RetryLater(StatusCodes.Status503ServiceUnavailable, RevocationLookup.RetryAfter)
            .Reject(context, "The revocations cannot be read now. Try again.");

    /// <summary>A registration token is a JWT: it has dots, which base64 does not have.</summary>
    private static bool IsRegistrationToken(OpenIddictRequest request) => request.Token!.Contains('.', StringComparison.Ordinal);
}
