using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>A token with its session key.</summary>
public sealed record TestToken(string Kid, byte[] Octets, byte[] MacKey)
{
    public StunCredential Native => StunCredential.NativeToken(Kid, Octets, MacKey);

    public StunCredential NativeWithSha1 => StunCredential.NativeTokenWithSha1(Kid, Octets, MacKey);

    public StunCredential Browser => StunCredential.BrowserToken(Kid, Octets, MacKey);
}
