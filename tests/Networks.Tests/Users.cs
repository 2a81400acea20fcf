using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests;

/// <summary>The user <c>alice</c>, and the settings of a server that knows this user.</summary>
internal static class Users
{
    public static readonly StunCredential Alice = StunCredential.Password("alice", "secret");

    public static (string, string)[] Settings(params (string, string)[] more) =>
        [("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"), .. more];
}
