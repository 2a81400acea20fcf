namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>The tokens that must not be accepted although they are authentic and have not expired.</summary>
public interface IRevocations
{
    /// <summary>Whether the token of a credential is revoked. A credential without a token never is.</summary>
    bool Cover(Credential credential, DateTimeOffset now);
}
