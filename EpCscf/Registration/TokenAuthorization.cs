using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Telemetry;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>Checks the token of a request, and challenges a request without a valid one (RFC 8898 §2.2, §2.3, §4).</summary>
internal sealed class TokenAuthorization(
    RegistrationTokenValidator validator, EpCscfSettings settings, RevokedSessions sessions, RevokedTokens tokens,
    EpCscfTelemetry telemetry)
{
    /// <summary>The token of the request; null if it has no valid one.</summary>
    public ValueTask<RegistrationToken?> CheckAsync(SipRequest request) =>
        BearerCredentials.Find(request.Headers) is { } token ? CheckAsync(token) : ValueTask.FromResult<RegistrationToken?>(null);

    public async ValueTask<RegistrationToken?> CheckAsync(string encrypted) =>
        Read(encrypted) is { } token && await CheckAsync(token) ? token : null;

    /// <summary>The token if it is authentic and has not expired. It may have been revoked.</summary>
    public RegistrationToken? Read(string encrypted)
    {
        var status = validator.Validate(encrypted, out var token);
        if (token is null) telemetry.TokenChecked(status.ToString());
        return token;
    }

    /// <summary>Whether a token is valid that <see cref="Read"/> returned.</summary>
    public async ValueTask<bool> CheckAsync(RegistrationToken token)
    {
        var isRevoked = tokens.Cover(token) || await sessions.ContainsAsync(token.SessionId);
        telemetry.TokenChecked(isRevoked ? "Revoked" : nameof(RegistrationTokenStatus.Valid));
        return !isRevoked;
    }

    public SipResponse Challenge(SipRequest request)
    {
        var error = BearerCredentials.Find(request.Headers) is null ? "" : ", error=\"invalid_token\"";
        var response = request.Answer(401, "Unauthorized", SipRequest.NewTag());
        response.Headers.Add(
            HeaderName.WwwAuthenticate,
            $"Bearer realm=\"{settings.HomeDomain}\", scope=\"{Scopes.ImsRegister}\", " +
            $"authz_server=\"{settings.AuthorizationServer}\"{error}");
        return response;
    }
}
