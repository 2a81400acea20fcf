using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Contracts.RegistrationTokens;

namespace WebRtcIms.EpCscf.Authorization;

/// <summary>Checks the token of a request, and challenges a request that has none that is good (RFC 8898 §2.2, §2.3, §4).</summary>
internal sealed class TokenAuthorization(RegistrationTokenValidator validator, EpCscfSettings settings, IBindingStore bindings, EpCscfTelemetry telemetry)
{
    public const string Scope = Contracts.Scopes.ImsRegister;

    /// <summary>The token of the request; null when there is none or a bad one.</summary>
    public ValueTask<RegistrationToken?> CheckAsync(SipRequest request) =>
        BearerCredentials.Find(request.Headers) is { } token ? CheckAsync(token) : ValueTask.FromResult<RegistrationToken?>(null);

    public async ValueTask<RegistrationToken?> CheckAsync(string encrypted)
    {
        var status = validator.Validate(encrypted, out var token);
        var isRevoked = token is not null && await bindings.IsRevokedAsync(token.SessionId);
        telemetry.TokenChecked(isRevoked ? "Revoked" : status.ToString());
        return isRevoked ? null : token;
    }

    public SipResponse Challenge(SipRequest request)
    {
        var error = BearerCredentials.Find(request.Headers) is null ? "" : ", error=\"invalid_token\"";
        var response = request.Answer(401, "Unauthorized", SipRequest.NewTag());
        response.Headers.Add(
            HeaderName.WwwAuthenticate,
            $"Bearer realm=\"{settings.HomeDomain}\", scope=\"{Scope}\", authz_server=\"{settings.AuthorizationServer}\"{error}");
        return response;
    }
}
