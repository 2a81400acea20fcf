using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Telemetry;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.ImsRegistration;

/// <summary>
/// The token request with <c>scope=ims.register</c> (interface W4). A WWSF gets a token with which its user's WIC registers with the IMS
/// (TS 33.203 X.3 and X.4). The client's block limits the identities; the token names the WAF and the WWSF that vouch for them.
/// </summary>
internal static class RegistrationHandlers
{
    private const int MaxPseudonymLength = 128;
    private const int MaxIdentities = 10;

    private static string[] Impus(OpenIddictRequest request) =>
        ((string?)request["impu"] ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Checks the identities, and that this client may ask for them.</summary>
    internal sealed class ValidateRequest : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ValidateTokenRequestContext>()
            .UseSingletonHandler<ValidateRequest>()
            .SetOrder(TokenHandlers.ValidateRequest.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            if (!context.Request.IsForRegistration()) return ValueTask.CompletedTask;
            var impus = Impus(context.Request);
            var (impi, sid) = ((string?)context.Request["impi"], (string?)context.Request["sid"]);
            var block = context.Transaction.GetLimits().Impus;

            if (impus.Length is 0 or > MaxIdentities)
                context.Reject(
                    Errors.InvalidRequest, $"The parameter 'impu' must have 1 to {MaxIdentities} identities, separated by spaces.");
            else if (string.IsNullOrEmpty(impi)) context.Reject(Errors.InvalidRequest, "The parameter 'impi' is missing.");
            else if (sid?.Length is null or 0 or > MaxPseudonymLength)
                context.Reject(Errors.InvalidRequest, $"The parameter 'sid' must have 1 to {MaxPseudonymLength} characters.");
            else if (!impus.Append($"sip:{impi}").All(identity => IdentityBlock.Contains(block, identity)))
                context.Reject(Errors.InvalidScope, "The client may not get tokens for this identity.");
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Issues the registration token instead of OpenIddict's token.</summary>
    internal sealed class IssueToken(
        KeyRings rings, KeyUse use, RegistrationSettings settings, AuditLog audit, TimeProvider time, WafTelemetry telemetry)
        : IOpenIddictServerHandler<GenerateTokenContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<GenerateTokenContext>()
            .UseSingletonHandler<IssueToken>()
            .SetOrder(TokenHandlers.IssueToken.Descriptor.Order - 1)
            .Build();

        public ValueTask HandleAsync(GenerateTokenContext context)
        {
            if (context.TokenType != TokenTypeIdentifiers.AccessToken || context.Request is not { } request || !request.IsForRegistration())
                return ValueTask.CompletedTask;
            var (now, started) = (time.GetUtcNow(), time.GetTimestamp());
            var key = rings.Ims!.GetCurrent(now).Material;
            if (!use.TryAdd(key))
            {
                TokenHandlers.RejectUsedUpKey(context);
                return ValueTask.CompletedTask;
            }

            using var activity = WafTelemetry.StartRegistrationTokenIssue(context.ClientId!);
            var limits = context.Transaction.GetLimits();
            var tokenId = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
            context.Token = key.Ims.Encrypt(new RegistrationToken
            {
                Issuer = settings.Identity,
                Audience = settings.Audience,
                Impi = (string)request["impi"]!,
                Impus = Impus(request),
                Waf = settings.Identity,
                Wwsf = limits.Wwsf ?? context.ClientId!,
                ClientId = limits.Wwsf is null ? null : context.ClientId,
                IssuedAt = now.ToUnixTimeSeconds(),
                ExpiresAt = (now + limits.Bound(settings.TokenLifetime)).ToUnixTimeSeconds(),
                TokenId = tokenId,
                SessionId = (string)request["sid"]!,
            });
            audit.Add(
                context.ClientId!, AuditAction.RegistrationTokenIssued, $"{key.Kid}:{tokenId}",
                CallerAddress.Of(context.Transaction.GetHttpRequest()!.HttpContext));
            telemetry.RegistrationTokenIssued(context.ClientId!);
            telemetry.IssueLasted("registration", time.GetElapsedTime(started));
            return ValueTask.CompletedTask;
        }
    }

    internal sealed class AddResponseFields(RegistrationSettings settings) : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessSignInContext>()
            .UseSingletonHandler<AddResponseFields>()
            .SetOrder(TokenHandlers.AddResponseFields.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (!context.Request.IsForRegistration()) return ValueTask.CompletedTask;
            context.Response.TokenType = TokenTypes.Bearer;
            context.Response.ExpiresIn = (long)context.Transaction.GetLimits().Bound(settings.TokenLifetime).TotalSeconds;
            context.Response.Scope = Contracts.Scopes.ImsRegister;
            return ValueTask.CompletedTask;
        }
    }
}
