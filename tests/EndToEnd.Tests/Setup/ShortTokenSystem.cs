using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>A second system, in which tokens for TURN and tokens for the IMS live for one minute.</summary>
public sealed class ShortTokenSystem : RunningSystem
{
    public const string Lifetime = "00:01:00";

    protected override void Change(IDistributedApplicationTestingBuilder builder) => builder.CreateResourceBuilder<ProjectResource>("waf")
        .WithEnvironment("Waf__TurnServers__0__TokenLifetime", Lifetime)
        .WithEnvironment("Waf__ImsRegistration__TokenLifetime", Lifetime);
}
