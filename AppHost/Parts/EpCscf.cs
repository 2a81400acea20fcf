namespace WebRtcIms.AppHost;

/// <summary>What the WWSF has to know about the eP-CSCF.</summary>
/// <param name="SessionsKey">The key with which it asks about sessions and ends them.</param>
/// <param name="Waf">The name of the WAF in registration tokens.</param>
internal sealed record EpCscfAnnotation(ParameterResource SessionsKey, string Waf) : IResourceAnnotation;

internal static class EpCscf
{
    /// <summary>
    /// Adds the eP-CSCF, with the parameters <c>epcscf-flow-token-key</c> and <c>epcscf-sessions-key</c>. It accepts
    /// registration tokens of <paramref name="waf"/>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddEpCscf(this IDistributedApplicationBuilder builder, string name,
        IResourceBuilder<ProjectResource> waf)
    {
        var flowTokenKey = builder.AddParameter("epcscf-flow-token-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the eP-CSCF's route tokens: 32 bytes in base64.");
        var sessionsKey = builder.AddParameter("epcscf-sessions-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the WWSF at the eP-CSCF, for questions about sessions: 32 bytes in base64.");
        var epCscf = builder.AddService<Projects.EpCscf>(name)
            .WithEnvironment("EpCscf__HomeDomain", Ims.Domain)
            .WithEnvironment("EpCscf__Waf", waf.Get<WafAnnotation>().Identity)
            .WithEnvironment("EpCscf__FlowTokenKey", flowTokenKey)
            .WithAnnotation(new EpCscfAnnotation(sessionsKey.Resource, waf.Get<WafAnnotation>().Identity))
            .WithEnvironment("EpCscf__SessionsKeys__0", sessionsKey)
            .WithIconName("CallConnecting");
        waf.WithRegistrationKeysFor(epCscf);
        return epCscf;
    }

    /// <summary>
    /// Lets the WWSF find the eP-CSCF, ask it about sessions and end them, and register guests there. Outside Development the guests are
    /// its only subscribers, until the operator adds others.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithSessionsAt(this IResourceBuilder<ProjectResource> wwsf,
        IResourceBuilder<ProjectResource> epCscf)
    {
        const string pool = "EpCscf__Pools__0__";
        var self = epCscf.Get<EpCscfAnnotation>();
        epCscf.WithEnvironment(pool + "Name", "guest")
            .WithEnvironment(pool + "Size", "50")
            .WithEnvironment(pool + "DisplayName", "Guest")
            .WithEnvironment(pool + "AllowedWafs__0", self.Waf)
            .WithEnvironment(pool + "AllowedWwsfs__0", wwsf.Resource.Name);
        return wwsf.WithReference(epCscf).WithEnvironment("Wwsf__EpCscf__SessionsKey", self.SessionsKey);
    }
}
