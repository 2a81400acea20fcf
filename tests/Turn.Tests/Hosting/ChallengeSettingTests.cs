using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>Turn:ChallengesPerSecond reaches the engines that the server builds.</summary>
public sealed class ChallengeSettingTests
{
    [Theory]
    [InlineData("1", 10)]
    [InlineData("0", 50)]
    [Requirement("ABUSE-30")]
    public void FiftyRequestsOfOneAddress_GetTheAnswersOfTenSeconds(string perSecond, int answers)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Turn:StaticUsers:0:Name"] = "u",
            ["Turn:StaticUsers:0:Password"] = "p",
            ["Turn:ChallengesPerSecond"] = perSecond,
        });
        builder.AddTurn(builder.Configuration.ReadTurnSettings());
        builder.Services.AddLogging();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<TimeProvider>(new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        using var app = builder.Build();
        var host = app.Services.GetRequiredService<IReadOnlyList<EngineHost>>()[0];
        var fixture = new EngineFixture();
        var path = new RecordingPath();

        for (var i = 0; i < 50; i++) host.Receive(StunRequest.Plain(StunMethod.Binding), fixture.NewFlow(), path);

        Assert.Equal(answers, path.Count);
    }
}
