using System.Diagnostics;
using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Telemetry;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.Tokens;

/// <summary>The token request of interface W4 in OpenIddict's pipeline: these handlers add the parts that RFC 7635 needs.</summary>
internal static class TokenHandlers
{
    private const string IssuedTokenProperty = "webrtcims.issued_token";
    private const string Lifetime = "lifetime";

    /// <summary>Whether the request is for a registration token, and not for a TURN token.</summary>
    public static bool IsForRegistration(this OpenIddictRequest? request) => request?.GetScopes() is [Contracts.Scopes.ImsRegister];

    /// <summary>The life that the client asks for, if it asks. It can only be shorter than the one of the settings.</summary>
    private static TimeSpan? LifetimeOf(OpenIddictRequest request) =>
        int.TryParse((string?)request[Lifetime], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? TimeSpan.FromSeconds(seconds)
            : null;

    /// <summary>Rejects a request because the current key may encrypt no more tokens. The next poll rotates the ring.</summary>
    public static void RejectUsedUpKey(GenerateTokenContext context) =>
        new RetryLater(StatusCodes.Status503ServiceUnavailable, KeyRotation.Poll)
            .Reject(context, "The key is used up, and the next one is not ready. Try again.");

    /// <summary>
    /// Accepts a POST (RFC 6749 §3.2), and a GET with <c>client_id</c> and <c>client_password</c> (TS 33.203 X.5.3.2 step 4).
    /// </summary>
    internal sealed class ExtractRequest(TokenEndpointSettings settings) : IOpenIddictServerHandler<ExtractTokenRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ExtractTokenRequestContext>()
            .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
            .UseSingletonHandler<ExtractRequest>()
            .SetOrder(OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<ExtractTokenRequestContext>.Descriptor.Order)
            .Build();

        public async ValueTask HandleAsync(ExtractTokenRequestContext context)
        {
            var request = context.Transaction.GetHttpRequest()!;
            if (!settings.AllowGet)
            {
                await RequestParameters.ReadFormAsync(context);
            }
            else if (!HttpMethods.IsGet(request.Method))
            {
                await RequestParameters.ReadFormAsync(context, mayBeGet: true);
            }
            else
            {
                var query = QueryHelpers.ParseQuery(request.HttpContext.Features.Get<HiddenQuery>()?.Text);
                RequestParameters.Read(context, [.. query.Select(Rename)]);
            }
        }

        private static KeyValuePair<string, StringValues> Rename(KeyValuePair<string, StringValues> parameter) =>
            parameter.Key == RequestParameters.ClientPassword ? KeyValuePair.Create(Parameters.ClientSecret, parameter.Value) : parameter;
    }

    /// <summary>Checks the parameters that OpenIddict does not know: audience, algorithm, timestamp.</summary>
    internal sealed class ValidateRequest(TokenIssuer issuer, IOpenIddictApplicationManager applications, TimeProvider time)
        : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        // An older request was not sent now: it is a copy, or one of the clocks is wrong.
        private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);

        private const int MaxPseudonymLength = 128;

        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ValidateTokenRequestContext>()
            .UseScopedHandler<ValidateRequest>()
            .SetOrder(OpenIddictServerHandlers.Exchange.ValidateGrantedScopes.Descriptor.Order + 1)
            .Build();

        public async ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            var request = context.Request;
            if (request.IsForRegistration()) return;
            if (!request.HasScope(Contracts.Scopes.Stun) || request.GetScopes().Length != 1)
            {
                context.Reject(Errors.InvalidScope, "The scope must be 'stun'.");
                return;
            }

            var audience = (string?)request["aud"];
            if (string.IsNullOrEmpty(audience))
            {
                context.Reject(Errors.InvalidRequest, "The parameter 'aud' is missing: it names the TURN server.");
                return;
            }

            if (!issuer.Knows(audience) || !await MayUseAsync(context, audience))
            {
                context.Reject(
                    Errors.InvalidTarget, "The parameter 'aud' does not name a TURN server that this client may get tokens for.");
                return;
            }

            if ((string?)request["token_type"] is { } type && type != "pop")
                context.Reject(Errors.InvalidRequest, "The token type must be 'pop'.");
            else if ((string?)request["alg"] is { } algorithm && algorithm is not (MacAlgorithm.Sha1 or MacAlgorithm.Sha256))
                context.Reject(Errors.InvalidRequest, "The parameter 'alg' must be HMAC-SHA-256-128 or HMAC-SHA1.");
            else if (!IsRecent((string?)request["timestamp"]))
                context.Reject(Errors.InvalidRequest, "The parameter 'timestamp' must be the time now, in seconds since 1970.");
            else if (((string?)request["sid"])?.Length > MaxPseudonymLength)
                context.Reject(Errors.InvalidRequest, $"The parameter 'sid' must have {MaxPseudonymLength} characters or less.");
            else if ((string?)request["guest"] is not (null or "true" or "false"))
                context.Reject(Errors.InvalidRequest, "The parameter 'guest' must be true or false.");
            else if (request[Lifetime] is not null && LifetimeOf(request) is null)
                context.Reject(Errors.InvalidRequest, "The parameter 'lifetime' must be a number of seconds, at least 1.");
        }

        private async Task<bool> MayUseAsync(ValidateTokenRequestContext context, string audience)
        {
            var application = await applications.FindByClientIdAsync(context.ClientId!);
            return application is not null
                && await applications.HasPermissionAsync(application, OpenIddictConstants.Permissions.Prefixes.Audience + audience);
        }

        private bool IsRecent(string? timestamp)
        {
            if (timestamp is null) return true;
            return long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                && Math.Abs(time.GetUtcNow().ToUnixTimeSeconds() - seconds) <= MaxAge.TotalSeconds;
        }
    }

    /// <summary>Makes the authenticated client the subject of the token: it is not for a user.</summary>
    internal sealed class AttachClient : IOpenIddictServerHandler<HandleTokenRequestContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<HandleTokenRequestContext>()
            .UseSingletonHandler<AttachClient>()
            .SetOrder(OpenIddictServerHandlers.Exchange.AttachPrincipal.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(HandleTokenRequestContext context)
        {
            var identity = new ClaimsIdentity("client_credentials");
            identity.AddClaim(new Claim(Claims.Subject, context.ClientId!));
            identity.SetScopes(context.Request.GetScopes());
            context.Principal = new ClaimsPrincipal(identity);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Step 5: issues our token instead of OpenIddict's, and leaves a grant for the TURN server.</summary>
    internal sealed class IssueToken(TokenIssuer issuer, GrantStore grants, AuditLog audit, WafTelemetry telemetry)
        : IOpenIddictServerHandler<GenerateTokenContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<GenerateTokenContext>()
            .UseSingletonHandler<IssueToken>()
            .SetOrder(OpenIddictServerHandlers.Protection.GenerateIdentityModelToken.Descriptor.Order - 1)
            .Build();

        public async ValueTask HandleAsync(GenerateTokenContext context)
        {
            if (context.TokenType != TokenTypeIdentifiers.AccessToken || context.Request is not { } request) return;
            if (request.IsForRegistration()) return;
            var started = Stopwatch.GetTimestamp();
            using var activity = WafTelemetry.StartTokenIssue();
            var audience = (string)request["aud"]!;
            var algorithm = (string?)request["alg"] ?? MacAlgorithm.Sha256;
            if (issuer.Issue(audience, algorithm, context.Transaction.GetLimits(), LifetimeOf(request)) is not { } token)
            {
                RejectUsedUpKey(context);
                return;
            }

            context.Token = token.AccessToken;
            context.Transaction.SetProperty(IssuedTokenProperty, token);
            telemetry.Issued(activity, context.ClientId!, audience, token.Kid, token.Algorithm, token.Lifetime);
            await grants.WriteAsync(token, context.ClientId!, (string?)request["sid"], isGuest: (string?)request["guest"] == "true");

            var http = context.Transaction.GetHttpRequest()!.HttpContext;
            audit.Add(context.ClientId!, AuditAction.TokenIssued, $"{token.Kid}:{token.TokenId}", CallerAddress.Of(http));

            var elapsed = Stopwatch.GetElapsedTime(started);
            telemetry.IssueLasted("turn", elapsed);
            http.Response.Headers["Server-Timing"] =
                string.Create(CultureInfo.InvariantCulture, $"step5;dur={elapsed.TotalMilliseconds:0.###};desc=\"token made\"");
        }
    }

    /// <summary>Adds the fields of RFC 7635 Appendix B. <c>key</c> is base64.</summary>
    internal sealed class AddResponseFields : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor
            .CreateBuilder<ProcessSignInContext>()
            .UseSingletonHandler<AddResponseFields>()
            .SetOrder(OpenIddictServerHandlers.AttachSignInParameters.Descriptor.Order + 1)
            .Build();

        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (context.Transaction.GetProperty<IssuedToken>(IssuedTokenProperty) is not { } token) return ValueTask.CompletedTask;
            context.Response.TokenType = "pop";
            context.Response.ExpiresIn = (long)token.Lifetime.TotalSeconds;
            context.Response["kid"] = token.Kid;
            context.Response["key"] = token.Key;
            context.Response["alg"] = token.Algorithm;
            context.Response.Scope = null;
            return ValueTask.CompletedTask;
        }
    }
}

/// <param name="AllowGet">Whether a GET is served.</param>
internal sealed record TokenEndpointSettings(bool AllowGet);
