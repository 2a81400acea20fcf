namespace WebRtcIms.Architecture.Tests;

/// <summary>Cycles of a directed graph.</summary>
internal static class Graph
{
    /// <summary>The strongly connected components of more than one node.</summary>
    public static IEnumerable<SortedSet<string>> Cycles(IReadOnlyCollection<(string From, string To)> edges)
    {
        var successors = edges.ToLookup(edge => edge.From, edge => edge.To);
        var nodes = edges.Select(edge => edge.From).Concat(edges.Select(edge => edge.To)).Distinct();
        var reachable = nodes.ToDictionary(node => node, node => Reach(node, successors));
        HashSet<string> seen = [];
        foreach (var (node, targets) in reachable.OrderBy(each => each.Key, StringComparer.Ordinal))
        {
            if (!targets.Contains(node) || !seen.Add(node)) continue;
            SortedSet<string> component = [.. targets.Where(target => reachable[target].Contains(node))];
            seen.UnionWith(component);
            yield return component;
        }
    }

    private static HashSet<string> Reach(string start, ILookup<string, string> successors)
    {
        HashSet<string> reached = [];
        var open = new Stack<string>(successors[start]);
        while (open.TryPop(out var node))
        {
            if (!reached.Add(node)) continue;
            foreach (var next in successors[node]) open.Push(next);
        }

        return reached;
    }
}
