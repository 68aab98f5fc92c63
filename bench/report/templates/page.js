"use strict";
(() => {
  document.documentElement.classList.add("js");

  const value = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.v;
    return number === undefined ? null : Number(number);
  };
  const text = (row, column) => row.cells[column].textContent.trim();

  function sort(table, column, direction) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const numeric = rows.some((row) => value(row, column) !== null);
    rows.sort((a, b) => {
      if (!numeric) return direction * text(a, column).localeCompare(text(b, column), undefined, { numeric: true });
      const x = value(a, column), y = value(b, column);
      if (x === null || y === null) return (x === null) - (y === null);
      return direction * (x - y);
    });
    body.append(...rows);
  }

  for (const button of document.querySelectorAll("th[aria-sort] button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const table = button.closest("table");
      const first = head.dataset.first || (head.classList.contains("n") ? "descending" : "ascending");
      const other = first === "ascending" ? "descending" : "ascending";
      const next = head.getAttribute("aria-sort") === first ? other : first;
      for (const cell of table.tHead.rows[0].cells) {
        if (cell.hasAttribute("aria-sort")) cell.setAttribute("aria-sort", "none");
      }
      head.setAttribute("aria-sort", next);
      sort(table, head.cellIndex, next === "ascending" ? 1 : -1);
    });
  }

  for (const input of document.querySelectorAll("input[data-filter]")) {
    const scope = document.getElementById(input.dataset.filter);
    const rows = scope.tBodies ? [...scope.tBodies[0].rows] : [...scope.querySelectorAll("details.dataset")];
    const words = rows.map((row) => (row.querySelector("summary") || row).textContent.toLowerCase());
    const shown = input.parentElement.querySelector(".shown");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let count = 0;
      rows.forEach((row, i) => {
        row.hidden = !words[i].includes(wanted);
        count += row.hidden ? 0 : 1;
      });
      shown.textContent = wanted ? `${count} of ${rows.length}` : "";
    });
  }

  function save(name, type, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const quoted = (word) => (/[",\n]/.test(word) ? `"${word.replaceAll('"', '""')}"` : word);

  // A number without its formatting; what is more than a number (a ± b, wins / ties / losses) as it is shown.
  function cellCsv(cell) {
    const shown = cell.textContent.trim();
    return cell.dataset.v !== undefined && !/[±/(]/.test(shown) ? cell.dataset.v : shown;
  }

  function tableCsv(table) {
    const lines = [[...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim())];
    for (const row of table.tBodies[0].rows) {
      lines.push([...row.cells].map(cellCsv));
    }
    return lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  }

  function element(name, attributes = {}) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, words] of Object.entries(attributes)) made.setAttribute(key, words);
    return made;
  }

  // As the report's own files: the light colours written out, an opaque ground, no links into the page.
  function figureSvg(svg) {
    const copy = svg.cloneNode(true);
    for (const link of copy.querySelectorAll("a")) {
      const group = element("g");
      group.append(...link.childNodes);
      link.replaceWith(group);
    }
    const kept = document.getElementById("file-style");
    const style = element("style");
    style.textContent = kept.content.textContent;
    copy.prepend(style, element("rect", { width: "100%", height: "100%", fill: "var(--paper)" }));
    const palette = JSON.parse(kept.dataset.palette);
    return new XMLSerializer().serializeToString(copy).replace(/var\(--([\w-]+)\)/g, (whole, name) => palette[name] ?? whole);
  }

  for (const button of document.querySelectorAll("button[data-save]")) {
    button.addEventListener("click", () => {
      const figure = button.closest("figure");
      const name = figure.id.replace(/-(table|figure)$/, "");
      if (button.dataset.save === "table") save(`${name}.csv`, "text/csv", tableCsv(figure.querySelector("table")));
      if (button.dataset.save === "data") save(`${name}.csv`, "text/csv", figure.querySelector(".data").textContent);
      if (button.dataset.save === "svg") save(`${name}.svg`, "image/svg+xml", figureSvg(figure.querySelector("svg.plot")));
    });
  }

  // What fits needs no scrolling, so it is no tab stop. Folded sections stay as they are: measuring them lays them out.
  const boxes = [...document.querySelectorAll(".scroll, .drawing")].filter((box) => !box.closest("details"));
  function stops() {
    const scrolls = boxes.map((box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight);
    boxes.forEach((box, i) => (scrolls[i] ? (box.tabIndex = 0) : box.removeAttribute("tabindex")));
  }
  addEventListener("resize", stops);

  // What a link leads to is made visible: its tab selected, what it is folded into opened, a filter ended.
  function openTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden) clearFilter(target.parentElement.id);
    let moved = target.matches("details");
    for (let around = target; around; around = around.parentElement) {
      if (around.matches("details") && !around.open) around.open = moved = true;
      if (around.matches("[role=tabpanel]") && around.hidden) {
        select(document.getElementById(around.getAttribute("aria-labelledby")));
        moved = true;
      }
    }
    const shown = target.offsetParent ? target : target.closest(".panel");
    if (moved || shown !== target) (shown || target).scrollIntoView();
  }

  function clearFilter(scope) {
    const input = document.querySelector(`input[data-filter="${CSS.escape(scope)}"]`);
    input.value = "";
    input.dispatchEvent(new Event("input"));
  }

  // Tabs: one panel at a time; arrow keys go from tab to tab.
  function select(tab) {
    for (const other of tab.parentElement.children) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    stops();
  }

  for (const list of document.querySelectorAll("[role=tablist]")) {
    const tabs = [...list.children];
    select(tabs[0]);
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) select(tab);
    });
    list.addEventListener("keydown", (event) => {
      const at = tabs.indexOf(event.target.closest("[role=tab]"));
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      select(next);
      next.focus();
    });
  }

  for (const box of document.querySelectorAll("select[data-choice]")) {
    const options = [...document.getElementById(`${box.dataset.choice}-choice`).children];
    const show = () => {
      options.forEach((option, i) => (option.hidden = i !== box.selectedIndex));
      stops();
    };
    box.addEventListener("change", show);
    show();  // a browser may keep the selection when the page is loaded again
  }

  // Scores as differences from one of the columns; where one of the two is missing there is none.
  const signed = (number, digits) => (number > 0 ? "+" : number < 0 ? "\u2212" : "") + Math.abs(number).toFixed(digits);
  for (const box of document.querySelectorAll("select[data-minus]")) {
    const table = document.getElementById(box.dataset.minus);
    const columns = [...table.tHead.rows[0].cells].filter((head) => "compared" in head.dataset).map((head) => head.cellIndex);
    const kept = [...table.tBodies[0].rows].map((row) => ({
      cells: columns.map((at) => row.cells[at]),
      values: columns.map((at) => row.cells[at].dataset.v),
      shown: columns.map((at) => row.cells[at].innerHTML),
    }));
    const show = () => {
      const from = box.selectedIndex - 1;
      for (const { cells, values, shown } of kept) {
        const digits = Math.max(...shown.map((words) => (words.match(/\.(\d+)/) || ["", ""])[1].length));
        cells.forEach((cell, i) => {
          const known = values[i] !== undefined;
          if (from < 0 || !known) {
            cell.innerHTML = shown[i];
            if (known) cell.dataset.v = values[i];
          } else if (values[from] === undefined) {
            cell.textContent = "\u2013";
            delete cell.dataset.v;
          } else {
            const difference = Number((values[i] - values[from]).toFixed(digits));
            cell.textContent = signed(difference, digits);
            cell.dataset.v = difference;
          }
        });
      }
    };
    box.addEventListener("change", show);
    show();
  }

  addEventListener("hashchange", openTarget);
  // A link to where the address already points changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) openTarget();
  });
  stops();
  openTarget();

  const contents = document.querySelector(".toc details");
  if (matchMedia("(max-width: 72rem)").matches) contents.open = false;
})();
