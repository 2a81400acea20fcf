using Microsoft.Extensions.Logging;
using WebRtcIms.Tests.Common;
using Xunit.Sdk;

namespace WebRtcIms.Wwsf.Tests;

public sealed class SecretsTests
{
    [Theory]
    [InlineData("User bob logged in", "bob", true)]
    [InlineData("bob", "bob", true)]
    [InlineData("@p0='BOB' (Nullable = false)", "bob", true)]
    [InlineData("REGISTER sip:bob@webrtcims.local", "bob", true)]
    [InlineData("{\"user_name\":\"bob\"}", "bob", true)]
    [InlineData("GET /users/bob?x=1", "bob", true)]
    [InlineData("a_bob_b", "bob", true)]
    [InlineData("Connection id 0HNBOB7K", "bob", false)]
    [InlineData("CfDJ8A5bOb", "bob", false)]
    [InlineData("8BoB", "bob", false)]
    [InlineData("xxNOT-her-passwordxx", "not-her-password", true)]
    public void Text_IsFoundAsAWordIfItIsShort_AndAnywhereIfItIsLong(string text, string secret, bool found) =>
        Assert.Equal(found, Secrets.AppearsIn(text, secret));

    [Fact]
    public void NameThatIsLogged_Fails()
    {
        using var logs = new LogRecorder();
        var logger = logs.CreateLogger("test");
        Log(logger, "Connection id 0HNBOB7K");
        Secrets.AssertNone(logs.Records, ["bob"]);

        Log(logger, "bob has logged in");
        Assert.Throws<DoesNotContainException>(() => Secrets.AssertNone(logs.Records, ["bob"]));

        static void Log(ILogger logger, string message) => logger.Log(LogLevel.Information, default, message, null, (text, _) => text);
    }
}
