using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>A system of its own, beside the one of the other tests, whose tokens live for one minute: those for TURN and those for the IMS.</summary>
public sealed class ShortTokenSystem : RunningSystem
{
    public const string Lifetime = "00:01:00";

    protected override void Change(IDistributedApplicationTestingBuilder builder) => builder.CreateResourceBuilder<ProjectResource>("waf")
        .WithEnvironment("Waf__TurnServers__0__TokenLifetime", Lifetime)
        .WithEnvironment("Waf__ImsRegistration__TokenLifetime", Lifetime);
}
